#include "ha/membership/auth_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace ha::membership {

namespace {

constexpr std::uint32_t highest_index = 15;

std::optional<std::uint32_t> index_of(std::string_view word) {
  std::uint32_t index = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  if (error != std::errc() || end != word.data() + word.size() || index > highest_index) {
    return std::nullopt;
  }
  return index;
}

std::optional<AuthMethod> method_of(std::string_view word) {
  if (word == "crc") return AuthMethod::crc;
  if (word == "md5") return AuthMethod::md5;
  if (word == "sha1") return AuthMethod::sha1;
  if (word == "sha256") return AuthMethod::sha256;
  return std::nullopt;
}

class Reader {
 public:
  explicit Reader(std::string_view path) : path_(path) {}

  void read(const ConfigLine& line) {
    line_ = line.number;
    const std::vector<std::string> words = split_words(line.text, false);
    if (words[0] == "auth") return read_auth(words);
    read_key(words, line.text);
  }

  AuthKeysFile finish() {
    line_ = 0;
    const bool selected = std::any_of(keys_.begin(), keys_.end(),
                                      [&](const AuthKey& key) { return key.index == sending_; });
    if (!sending_) {
      complain(fmt::format("Missing auth directive in keyfile [{}]", path_));
    } else if (!selected) {
      line_ = sending_line_;
      complain(fmt::format("Auth Key [{}] not found in keyfile [{}]", *sending_, path_));
    }
    AuthKeysFile file;
    if (!any_error(diagnostics_)) file.keys.emplace(std::move(keys_), *sending_);
    file.diagnostics = std::move(diagnostics_);
    return file;
  }

 private:
  void complain(std::string text) {
    diagnostics_.push_back(Diagnostic{Severity::error, std::string(path_), line_, std::move(text)});
  }

  void read_auth(const std::vector<std::string>& words) {
    const auto index = words.size() == 2 ? index_of(words[1]) : std::nullopt;
    if (!index) {
      return complain(
          fmt::format("Invalid authnum [{}] in {}", words.size() > 1 ? words[1] : "", path_));
    }
    sending_ = *index;
    sending_line_ = line_;
  }

  // The text of a line with a secret is never repeated in full.
  void read_key(const std::vector<std::string>& words, std::string_view text) {
    const auto index = index_of(words[0]);
    if (!index) return complain(fmt::format("Invalid authnum [{}] in {}", words[0], path_));
    if (words.size() < 2 || words.size() > 3) {
      return complain(fmt::format("Auth line [{} ...] is invalid.", text.substr(0, 2)));
    }
    const auto method = method_of(words[1]);
    if (!method) return complain(fmt::format("Invalid authtype [{}]", words[1]));
    if (*method == AuthMethod::crc && words.size() == 3) {
      return complain(fmt::format("Auth method [{}] doesn't use a key", words[1]));
    }
    if (*method != AuthMethod::crc && words.size() == 2) {
      return complain(fmt::format("Auth method [{}] requires a key", words[1]));
    }
    std::erase_if(keys_, [&](const AuthKey& key) { return key.index == *index; });
    keys_.push_back(AuthKey{*index, *method, words.size() == 3 ? words[2] : std::string()});
  }

  std::string path_;
  std::uint32_t line_ = 0;
  std::uint32_t sending_line_ = 0;
  std::optional<std::uint32_t> sending_;
  std::vector<AuthKey> keys_;
  Diagnostics diagnostics_;
};

}  // namespace

AuthKeysFile parse_auth_keys(std::string_view file, std::string_view path) {
  Reader reader(path);
  for (const ConfigLine& line : config_lines(file, false))
    reader.read(line);
  return reader.finish();
}

std::optional<Diagnostic> refuse_mode(std::uint32_t mode, std::string_view path) {
  if ((mode & 044U) == 0) return std::nullopt;
  return Diagnostic{Severity::error, std::string(path), 0,
                    fmt::format("Bad permissions on keyfile [{}], 600 recommended.", path)};
}

}  // namespace ha::membership
