#include "error_number.hpp"

#include <cerrno>

namespace replicator::shim {

int error_number(const Status& status) noexcept {
  switch (status.fault()) {
    case Fault::none: return 0;
    case Fault::read_only: return EROFS;
    case Fault::out_of_range: return EINVAL;
    case Fault::unsupported: return EOPNOTSUPP;
    case Fault::not_permitted: return EPERM;
    case Fault::busy: return EBUSY;
    default: return EIO;
  }
}

}  // namespace replicator::shim
