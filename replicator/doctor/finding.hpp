// What `pollux doctor` says: one finding for each thing it looked at.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace replicator::doctor {

enum class Verdict : std::uint8_t {
  ok,
  warn,  // it works, but not as well as it should; or it may be meant so
  fail,  // something will not work before it is repaired
};

struct Finding {
  Verdict verdict = Verdict::ok;
  std::string about;  // "io_uring", "r0 peer", "r0/0 disk"
  std::string what;
  std::string fix;  // a command where there is one; empty when nothing is to be done
};
using Findings = std::vector<Finding>;

inline Finding good(std::string about, std::string what) {
  return {Verdict::ok, std::move(about), std::move(what), {}};
}
inline Finding warn(std::string about, std::string what, std::string fix) {
  return {Verdict::warn, std::move(about), std::move(what), std::move(fix)};
}
inline Finding fail(std::string about, std::string what, std::string fix) {
  return {Verdict::fail, std::move(about), std::move(what), std::move(fix)};
}

}  // namespace replicator::doctor
