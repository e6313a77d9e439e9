// Text as nested lists: a title, and below it items that begin with an asterisk.
#pragma once

#include <string>
#include <string_view>

namespace ha::crm {

class Outline {
 public:
  void title(std::string_view text) {
    if (depth_ == 0) out_ += std::string(text) + ":\n";
    else item(std::string(text) + ":");
    ++depth_;
  }
  void end() { --depth_; }
  void item(std::string_view text) {
    out_.append(2 * depth_, ' ');
    out_ += depth_ == 0 ? "" : "* ";
    out_ += text;
    out_ += '\n';
  }
  void blank() { out_ += '\n'; }
  [[nodiscard]] const std::string& text() const { return out_; }

 private:
  std::string out_;
  std::size_t depth_ = 0;
};

}  // namespace ha::crm
