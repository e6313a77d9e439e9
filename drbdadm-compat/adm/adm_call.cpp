#include "adm/adm_call.hpp"

#include <charconv>

namespace replicator::adm {
namespace {

constexpr int usage_error = 1;

struct General {
  char letter;
  std::string_view name;
  bool wants_value;
};
constexpr General general_options[] = {
    {'c', "config-file", true}, {'t', "config-to-test", true}, {'E', "config-to-exclude", true},
    {'d', "dry-run", false},    {'v', "verbose", false},       {'S', "stacked", false},
    {'s', "drbdsetup", true},   {'m', "drbdmeta", true},       {'n', "sh-varname", true},
    {'P', "peer", true},        {'W', "setup-option", true},   {'f', "force", false},
    {'p', "plan", false},       {'V', "version", false},       {'h', "help", false}};

const General* find_letter(char letter) {
  for (const General& option : general_options) {
    if (option.letter == letter) return &option;
  }
  return nullptr;
}

const General* find_name(std::string_view name) {
  for (const General& option : general_options) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

class Reader {
 public:
  Reader(std::span<const std::string> words, AdmCall& call) : words_(words), call_(call) {}

  void read() {
    while (at_ < words_.size() && call_.problem.empty()) {
      const std::string& word = words_[at_++];
      if (word == "--") pass_ = true;
      else if (word.size() > 1 && word[0] == '-') option(word);
      else name(word);
    }
  }

 private:
  void name(const std::string& word) {
    // The only verb with a value of its own: `set-gi r0 -- CURRENT:BITMAP:…`.
    const bool value = pass_ && call_.verb == "set-gi" && word.find(':') != std::string::npos;
    if (call_.verb.empty()) call_.verb = word;
    else if (value) call_.passed.push_back(word);
    else call_.targets.push_back(word);
    pass_ = false;
  }

  // Behind `--` everything is for the low-level command; elsewhere what is not a general option is.
  void option(const std::string& word) {
    if (pass_) {
      call_.passed.push_back(word);
    } else if (word.starts_with("--")) {
      long_option(word);
    } else if (word == "-o") {
      call_.passed.push_back(word);  // of `primary`, as 8.3 spelled it
    } else {
      letters(word);
    }
  }

  void long_option(const std::string& word) {
    const std::size_t equals = word.find('=');
    const General* option = find_name(std::string_view(word).substr(2, equals - 2));
    // `status --verbose` asks for more status, not for the echo of commands.
    if (option != nullptr && option->letter == 'v' && call_.verb == "status") option = nullptr;
    if (option == nullptr) {
      if (call_.verb.empty()) unknown(word);
      else call_.passed.push_back(word);
      return;
    }
    std::string value;
    if (equals != std::string::npos) value = word.substr(equals + 1);
    else if (option->wants_value && !take_value(word, value)) return;
    set(*option, value);
  }

  void letters(const std::string& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const General* option = find_letter(word[i]);
      if (option == nullptr) return unknown(word);
      std::string value;
      if (option->wants_value) {
        value = word.substr(i + 1);
        if (value.empty() && !take_value(word, value)) return;
        i = word.size();
      }
      set(*option, value);
    }
  }

  bool take_value(const std::string& word, std::string& value) {
    if (at_ >= words_.size()) {
      fail("drbdadm: option '" + word + "' requires an argument\ntry 'drbdadm help'");
      return false;
    }
    value = words_[at_++];
    return true;
  }

  void set(const General& option, const std::string& value) {
    switch (option.letter) {
      case 'c': call_.config_file = value; break;
      case 't': call_.config_to_test = value; break;
      case 'd': call_.dry_run = true; break;
      case 'p': call_.plan = true; break;
      case 'v': ++call_.verbose; break;
      case 'n': call_.variable = value; break;
      case 'P': call_.peer = value; break;
      case 'W': call_.verbatim.push_back(value); break;
      case 'f': call_.passed.emplace_back("--force"); break;
      case 'V': call_.version = true; break;
      case 'h': call_.help = true; break;
      case 'S':
        fail(
            "drbdadm: stacked resources are not supported; use plain resources on each pair of "
            "nodes");
        break;
      default: break;  // -E: nothing is read twice; -s, -m: the tools are part of this program
    }
  }

  void unknown(const std::string& word) {
    fail("drbdadm: unrecognized option '" + word + "'\ntry 'drbdadm help'");
  }
  void fail(std::string problem) {
    call_.problem = std::move(problem);
    call_.problem_code = usage_error;
  }

  std::span<const std::string> words_;
  AdmCall& call_;
  std::size_t at_ = 0;
  bool pass_ = false;
};

bool read_number(std::string_view text, std::uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

}  // namespace

AdmCall parse_adm_call(std::span<const std::string> words) {
  AdmCall call;
  Reader(words, call).read();
  return call;
}

TargetName parse_target(std::string_view word) {
  TargetName target;
  constexpr std::string_view minor_prefix = "minor-";
  if (word.starts_with(minor_prefix) &&
      read_number(word.substr(minor_prefix.size()), target.number)) {
    target.kind = TargetName::Kind::minor;
    return target;
  }
  const std::size_t slash = word.rfind('/');
  if (slash != std::string_view::npos && read_number(word.substr(slash + 1), target.number)) {
    target.kind = TargetName::Kind::volume;
    target.resource = word.substr(0, slash);
    return target;
  }
  target.resource = word;
  return target;
}

}  // namespace replicator::adm
