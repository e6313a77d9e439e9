// Text as nested lists: a title, and below it items that begin with an asterisk. A plain outline
// has the items alone, without titles, names and indentation.
#pragma once

#include <string>
#include <string_view>

namespace ha::crm {

class Outline {
 public:
  void be_plain() { plain_ = true; }
  void title(std::string_view text) {
    if (plain_) return;
    if (depth_ == 0) out_ += std::string(text) + ":\n";
    else item(std::string(text) + ":");
    ++depth_;
  }
  void end() {
    if (!plain_) --depth_;
  }
  void item(std::string_view text) {
    out_.append(2 * depth_, ' ');
    out_ += depth_ == 0 ? "" : "* ";
    out_ += text;
    out_ += '\n';
  }
  void item(std::string_view name, std::string_view text) {
    item(plain_ ? std::string(text) : std::string(name) + ": " + std::string(text));
  }
  void blank() { out_ += '\n'; }
  [[nodiscard]] const std::string& text() const { return out_; }

 private:
  std::string out_;
  std::size_t depth_ = 0;
  bool plain_ = false;
};

}  // namespace ha::crm
