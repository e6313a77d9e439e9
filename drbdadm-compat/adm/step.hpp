// One call of drbdsetup or drbdmeta: what drbdadm is made of. A step is data first, so that it can
// be shown
// (`drbdadm -d`), compared in tests, and then run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace replicator::adm {

enum class Tool : std::uint8_t { drbdsetup, drbdmeta };

struct Step {
  Tool tool = Tool::drbdsetup;
  std::vector<std::string> arguments;

  [[nodiscard]] const std::string& verb() const noexcept {
    return tool == Tool::drbdsetup ? arguments.front() : arguments.back();
  }

  bool operator==(const Step&) const = default;
};

// As one would type it; what means something to a shell is escaped.
std::string text(const Step& step);
std::string shell_word(const std::string& word);

}  // namespace replicator::adm
