#include "engine/flow/digests.hpp"

#include <utility>

#include "engine/admin_codes.hpp"

namespace replicator {

std::int32_t make_digests(const NetOptions& options, Digests& digests) {
  Result<BlockDigest> checksums = BlockDigest::make(options.csums_alg);
  if (!checksums) return admin_csums_alg;
  Result<BlockDigest> verify = BlockDigest::make(options.verify_alg);
  if (!verify) return admin_verify_alg;
  Result<BlockDigest> integrity = BlockDigest::make(options.data_integrity_alg);
  if (!integrity) return admin_integrity_alg;
  digests.checksums = std::move(*checksums);
  digests.verify = std::move(*verify);
  digests.integrity = std::move(*integrity);
  return 0;
}

}  // namespace replicator
