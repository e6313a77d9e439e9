// Whatever a client sends during the handshake: bounded output, no more bytes taken than given, an
// end within the limit; and what follows is a request that validation has an answer for.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "frontend/nbd/option_negotiation.hpp"
#include "frontend/nbd/request.hpp"

namespace {

using namespace replicator;
using nbd::OptionNegotiation;

void require(bool holds) {
  if (!holds) std::abort();
}

void requests(ConstBytes rest, const OptionNegotiation& negotiation) {
  nbd::Session session;
  session.size = 1U << 30U;
  session.writable = true;
  session.structured = negotiation.structured();
  session.allocation = negotiation.allocation();
  for (; rest.size() >= nbd::request_bytes; rest = rest.subspan(nbd::request_bytes)) {
    nbd::Request request;
    if (!nbd::parse_request(rest, request)) return;
    const nbd::Verdict verdict = nbd::validate(request, session);
    if (verdict.error != nbd::Error::none) continue;
    require(request.offset <= session.size && request.length <= session.size - request.offset);
    require(request.offset % session.block_bytes == 0);
  }
}

}  // namespace

// The first byte chooses the size of the pieces and whether the device can be opened.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::size_t piece = (data[0] & 1U) != 0 ? 1U << 20U : std::size_t{1} + (data[0] >> 2U);
  const bool refuse = (data[0] & 2U) != 0;
  ConstBytes rest = std::as_bytes(std::span(data + 1, size - 1));
  OptionNegotiation negotiation("r0/0");
  negotiation.output_sent();
  std::size_t taken = 0;
  while (negotiation.next() == OptionNegotiation::Next::receive && !rest.empty()) {
    const std::size_t used = negotiation.feed(rest.first(std::min(piece, rest.size())));
    require(used > 0 && used <= rest.size());
    rest = rest.subspan(used);
    taken += used;
    const bool asked = negotiation.next() == OptionNegotiation::Next::open ||
                       negotiation.next() == OptionNegotiation::Next::describe;
    if (asked && refuse) negotiation.refuse(nbd::OptionReply::error_policy, "no");
    else if (asked) negotiation.answer(nbd::Export{1U << 30U, 512, 4096, true});
    require(negotiation.output().size() < 1024);
    negotiation.output_sent();
  }
  require(taken <= OptionNegotiation::total_limit + OptionNegotiation::skip_limit);
  require(negotiation.structured() || !negotiation.allocation());
  if (negotiation.next() == OptionNegotiation::Next::transmit) requests(rest, negotiation);
  return 0;
}
