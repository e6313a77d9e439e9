// data-integrity-alg: a digest in each packet with data, between its header and the data.
//   D7  what does not fit its digest is neither written nor delivered; the connection is dropped,
//   and
//       what was in doubt is resynchronised
// Normative: docs/protocol.md#data-integrity.
#include <utility>

#include "base/log.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

Task<Status> Connection::receive_digest(const PacketHeader& header, ReceivedDigest& digest,
                                        std::uint32_t& data_bytes) {
  PeerLink& link = *link_;
  const std::size_t size = link.peer_integrity.bytes();
  data_bytes = header.length - static_cast<std::uint32_t>(data_header_bytes);
  if (size == 0) co_return Status();
  if (data_bytes <= size) co_return Status(Fault::protocol_error, "data without its digest");
  const Status filled = co_await link.data_reader.fill(size, Duration::forever());
  if (!filled.ok()) co_return filled;
  digest = ReceivedDigest(link.data_reader.take(size));
  data_bytes -= static_cast<std::uint32_t>(size);
  co_return Status();
}

Status Connection::check_digest(Volume& volume, Sector sector, ConstBytes data,
                                const ReceivedDigest& digest) const {
  if (digest.size == 0 || link_->peer_integrity.matches(data, digest.view())) return Status();
  log::error("{}/{} Digest integrity check FAILED: {}s +{}", resource_.name(), volume.number(),
             sector.value(), data.size());
  return Status(Fault::protocol_error, "data that does not fit its digest");
}

// Behind the header of a packet with data; returns its size.
std::size_t Connection::add_digest(ConstBytes data, Bytes out) const noexcept {
  if (!digests_.integrity) return 0;
  digests_.integrity.compute(data, out);
  return digests_.integrity.bytes();
}

Status Connection::adopt_peer_integrity(const std::string& name) {
  if (link_->peer_integrity.name() == name) return Status();
  Result<BlockDigest> made = BlockDigest::make(name);
  if (!made) return stand_alone("the peer's data-integrity-alg is not supported");
  link_->peer_integrity = std::move(*made);
  log::info("{} connection: peer data-integrity-alg: {}", resource_.name(),
            name.empty() ? "(none)" : name);
  return Status();
}

}  // namespace replicator
