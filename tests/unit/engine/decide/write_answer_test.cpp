// When a mirrored write is answered, and which acks the peer owes for it (D3, D7, E5).
#include "engine/decide/write_answer.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace replicator {
namespace {

constexpr WireProtocol A = WireProtocol::a;
constexpr WireProtocol B = WireProtocol::b;
constexpr WireProtocol C = WireProtocol::c;
using P = PeerAnswer;
using V = WriteVerdict;

TEST(WriteTerms, FollowFromTheProtocolAndFromWhatThisNodeCanVouchFor) {
  struct Row {
    WireProtocol protocol;
    int version;
    bool vouched_for;
    bool stable;
    bool syncing;
    WriteTerms terms;  // answered at, receive ack, write ack
  };
  const std::vector<Row> rows = {
      {A, 101, true, false, false, {A, false, false}},
      {B, 101, true, false, false, {B, true, false}},
      {C, 101, true, false, false, {C, false, true}},
      // During a resync the peer's acks clear bits; the application waits no longer for that.
      {A, 101, true, false, true, {A, false, true}},
      {B, 101, true, false, true, {B, true, true}},
      {C, 101, true, false, true, {C, false, true}},
      // On stable storage means on both, and without a good disk of our own the peer's word is all.
      {A, 101, true, true, false, {C, false, true}},
      {B, 101, true, true, false, {C, true, true}},
      {A, 101, false, false, false, {C, false, true}},
      {B, 101, false, false, true, {C, true, true}},
      {C, 101, false, true, true, {C, false, true}},
      // An old peer sends what its protocol says, and nothing else can be asked for.
      {A, 97, true, false, true, {A, false, false}},
      {A, 97, false, false, false, {C, false, false}},
      {B, 97, true, true, false, {C, true, false}},
      {C, 97, true, true, false, {C, false, true}},
      // An even older one cannot be told that it must be on stable storage.
      {C, 94, true, false, false, {C, false, true}},
      {C, 94, true, true, false, {C, false, true, true}},
      {A, 94, true, true, false, {C, false, false, true}},
  };
  for (const Row& row : rows) {
    const WriteTerms terms =
        write_terms(row.protocol, row.version, row.vouched_for, row.stable, row.syncing);
    EXPECT_TRUE(terms == row.terms) << "row " << &row - rows.data();
  }
}

TEST(JudgeWrite, WaitsForWhatTheProtocolSays) {
  struct Row {
    WriteTerms terms;
    PeerAnswer answer;
    bool handed_over;
    bool epoch_stable;
    WriteVerdict verdict;
  };
  constexpr WriteTerms a{A, false, false};
  constexpr WriteTerms b{B, true, false};
  constexpr WriteTerms c{C, false, true};
  constexpr WriteTerms proof_by_barrier{C, false, false};
  constexpr WriteTerms proof_after_receipt{C, true, false};
  constexpr WriteTerms on_media{C, false, true, true};
  const std::vector<Row> rows = {
      {a, P::pending, false, false, V::wait},
      {a, P::pending, true, false, V::mirrored},
      {b, P::pending, true, false, V::wait},
      {b, P::received, true, false, V::mirrored},
      {c, P::pending, true, false, V::wait},
      {c, P::received, true, false, V::wait},
      {c, P::written, true, false, V::mirrored},
      {c, P::written_in_sync, true, false, V::mirrored},
      {proof_by_barrier, P::pending, true, false, V::wait_for_barrier},
      {proof_by_barrier, P::pending, true, true, V::mirrored},
      {proof_after_receipt, P::received, true, false, V::wait_for_barrier},
      {proof_after_receipt, P::received, true, true, V::mirrored},
      {on_media, P::pending, true, false, V::wait},
      {on_media, P::written, true, false, V::wait_for_barrier},
      {on_media, P::written_in_sync, true, false, V::wait_for_barrier},
      {on_media, P::written, true, true, V::mirrored},
      {on_media, P::refused, true, false, V::unmirrored},
      {on_media, P::lost, true, false, V::unmirrored},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(
        static_cast<int>(judge_write(row.terms, row.answer, row.handed_over, row.epoch_stable)),
        static_cast<int>(row.verdict))
        << "row " << &row - rows.data();
  }
}

TEST(JudgeWrite, ARefusalAndALostConnectionCountInEveryProtocol) {
  for (const WireProtocol protocol : {A, B, C}) {
    for (const PeerAnswer answer : {P::refused, P::lost}) {
      const WriteTerms terms = write_terms(protocol, 101, true, false, false);
      EXPECT_EQ(static_cast<int>(judge_write(terms, answer, true, false)),
                static_cast<int>(V::unmirrored));
    }
  }
}

TEST(AnsweredAsPromised, ABarrierAckComesAfterThePromisedAcks) {
  constexpr WriteTerms a{A, false, false};
  constexpr WriteTerms b{B, true, false};
  constexpr WriteTerms b_in_resync{B, true, true};
  constexpr WriteTerms c{C, false, true};
  EXPECT_TRUE(answered_as_promised(a, P::pending));
  EXPECT_FALSE(answered_as_promised(b, P::pending));
  EXPECT_TRUE(answered_as_promised(b, P::received));
  EXPECT_FALSE(answered_as_promised(b_in_resync, P::received));
  EXPECT_TRUE(answered_as_promised(b_in_resync, P::written_in_sync));
  EXPECT_FALSE(answered_as_promised(c, P::pending));
  EXPECT_TRUE(answered_as_promised(c, P::written));
  for (const WriteTerms& terms : {a, b, b_in_resync, c}) {
    EXPECT_TRUE(answered_as_promised(terms, P::refused));
  }
}

}  // namespace
}  // namespace replicator
