#include "ha/cli/tools/words.hpp"

namespace ha::cli {

namespace {

const Flag* find(const std::vector<Flag>& flags, char letter) {
  for (const Flag& flag : flags) {
    if (flag.letter == letter) return &flag;
  }
  return nullptr;
}

const Flag* find(const std::vector<Flag>& flags, const std::string& name) {
  for (const Flag& flag : flags) {
    if (name == flag.name) return &flag;
  }
  return nullptr;
}

class Reader {
 public:
  Reader(const std::vector<std::string>& arguments, const std::vector<Flag>& flags)
      : arguments_(arguments), flags_(flags) {}

  Words read() {
    for (; at_ < arguments_.size() && words_.wrong.empty(); ++at_) {
      const std::string& word = arguments_[at_];
      if (word.starts_with("--") && word.size() > 2) read_long(word.substr(2));
      else if (word.starts_with("-") && word.size() > 1) read_short(word.substr(1));
      else words_.rest.push_back(word);
    }
    return std::move(words_);
  }

 private:
  void read_long(const std::string& word) {
    const std::size_t equals = word.find('=');
    const Flag* flag = find(flags_, word.substr(0, equals));
    if (flag == nullptr) {
      words_.wrong = "--" + word;
    } else if (equals != std::string::npos) {
      words_.options[flag->letter] = word.substr(equals + 1);
    } else {
      take(*flag);
    }
  }
  void read_short(const std::string& letters) {
    for (std::size_t i = 0; i < letters.size(); ++i) {
      const Flag* flag = find(flags_, letters[i]);
      if (flag == nullptr) {
        words_.wrong = std::string("-") + letters[i];
        return;
      }
      if (flag->value && i + 1 < letters.size()) {
        words_.options[flag->letter] = letters.substr(i + 1);
        return;
      }
      take(*flag);
    }
  }
  void take(const Flag& flag) {
    if (!flag.value) {
      words_.options[flag.letter] = "";
    } else if (at_ + 1 < arguments_.size()) {
      words_.options[flag.letter] = arguments_[++at_];
    } else {
      words_.wrong = std::string("-") + flag.letter;
    }
  }

  const std::vector<std::string>& arguments_;
  const std::vector<Flag>& flags_;
  std::size_t at_ = 0;
  Words words_;
};

}  // namespace

Words read_words(const std::vector<std::string>& arguments, const std::vector<Flag>& flags) {
  return Reader(arguments, flags).read();
}

}  // namespace ha::cli
