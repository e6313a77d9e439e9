#include "config/usual_place.hpp"

namespace replicator::config {

std::string usual_place(Files& files) {
  // In this order, as ever.
  constexpr const char* names[] = {"/etc/drbd-84.conf", "/etc/drbd-83.conf", "/etc/drbd-82.conf",
                                   "/etc/drbd-08.conf", "/etc/drbd.conf"};
  for (const char* name : names) {
    const Result<std::string> text = files.read(name);
    if (text || text.error().fault() != Fault::not_found) return name;
  }
  return "/etc/drbd.conf";
}

}  // namespace replicator::config
