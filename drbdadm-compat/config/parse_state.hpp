// Private to the parser: the token stream of one file and the ways to fail.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "config/files.hpp"
#include "config/lexer.hpp"
#include "config/model.hpp"

namespace replicator::config {

// What all files of one configuration share.
struct ParseContext {
  Files& files;
  Config& config;
  Diagnostics& diagnostics;
  std::set<std::string> seen;  // resolved names of files that were read
};

// Every parse_… function returns false after it reported a syntax error: the caller returns too.
class ParseState {
 public:
  ParseState(ParseContext& context, std::string file, std::string_view text);

  ParseContext& context;
  const std::string file;      // as it was named
  const std::string resolved;  // by which it is known to be the same
  Token token;                 // the one to look at next

  void advance() { token = lexer_.next(); }
  // Straight behind the current token: see Lexer::until.
  void advance_until(char stop) { token = lexer_.until(stop); }
  // Text that nobody reads may have characters that otherwise are none of the language.
  void take_any_character(bool any) noexcept { lexer_.take_any_character(any); }
  [[nodiscard]] Token peek() const { return Lexer(lexer_).next(); }  // the one behind it
  [[nodiscard]] Place place() const { return {file, token.line}; }

  bool take(char punctuation);  // or fails with "';' expected"
  bool take_name(std::string& into, const char* what);
  bool take_number(std::uint32_t& into, const char* what, std::uint32_t least, std::uint32_t most);
  // The current token is none of the words; suggests the nearest.
  bool expected(const std::vector<std::string>& words, const std::string& shown = {});
  bool fail(std::string message);

 private:
  Lexer lexer_;
};

bool parse_top_level(ParseState& state);
bool parse_resource(ParseState& state);
// The options of one section, behind its opening brace and including the closing one. `kind` null:
// the syncer section of 8.3.
bool parse_options(ParseState& state, const OptionSection* kind, Sections& into);
// `net {` and the like, at the section's name. The block is what messages call its owner.
bool parse_section(ParseState& state, const std::string& owner, Sections& into);
bool is_section_word(const Token& token) noexcept;
// Reads up to and with the brace that closes the block just opened.
bool skip_block(ParseState& state, const Place& begin, const char* what);
bool parse_skip(ParseState& state);
bool parse_proxy(ParseState& state);
// device, disk, meta-disk, flexible-meta-disk.
bool at_volume_statement(const ParseState& state);
bool parse_volume_statement(ParseState& state, const std::string& owner, Volume& into);
bool parse_volume(ParseState& state, const std::string& owner, std::vector<Volume>& into);
Volume& implicit_volume(ParseState& state, std::vector<Volume>& volumes);
bool parse_address(ParseState& state, Address& into);
bool parse_host(ParseState& state, Resource& resource);
bool parse_connection(ParseState& state, Resource& resource, bool mesh);

}  // namespace replicator::config
