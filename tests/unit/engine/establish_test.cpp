// Looking for the peer on a machine that is short of something.
#include "engine/flow/establish.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/sim/two_nodes.hpp"

namespace replicator {
namespace {

// Refuses everything at once, as a process without descriptors does. Ends what tries too often.
class NoDescriptors final : public io::Network, io::Backend {
 public:
  Result<std::unique_ptr<io::Listener>> listen(const io::Address& /*at*/,
                                               io::SocketOptions /*options*/) override {
    return std::unique_ptr<io::Listener>(std::make_unique<Refusing>(*this));
  }
  void connect(io::Op& op, const io::Address& /*from*/, const io::Address& /*to*/,
               io::SocketOptions /*options*/, std::unique_ptr<io::Stream>& /*connected*/,
               Duration /*patience*/) override {
    ++attempts;
    if (attempts > 1000) looking->stop();
    refuse(op);
  }
  void cancel(io::Op& /*op*/) noexcept override {}

  int attempts = 0;
  Establisher* looking = nullptr;

 private:
  class Refusing final : public io::Listener {
   public:
    explicit Refusing(NoDescriptors& network) noexcept : network_(network) {}
    void accept(io::Op& op, std::unique_ptr<io::Stream>& /*accepted*/,
                Duration /*patience*/) override {
      network_.refuse(op);
    }
    void close() noexcept override {}

   private:
    NoDescriptors& network_;
  };
  void refuse(io::Op& op) noexcept {
    begin(op);
    finish(op, -EMFILE);
  }
  void forget(io::Op& /*op*/) noexcept override {}
};

Task<void> look(Establisher& looking, Fault& end) {
  const Result<SocketPair> found = co_await looking.run();
  end = found ? Fault::none : found.error().fault();
}

Task<Fault> look_for_ten_seconds(io::World& world, Establisher& looking) {
  Fault end = Fault::none;
  io::Gate gate;
  gate.start(look(looking, end));
  io::Op op;
  world.clock.sleep(op, Duration::seconds(10));
  co_await op;
  looking.stop();
  co_await gate.close();
  co_return end;
}

TEST(Establish, where_nothing_can_be_accepted_it_is_not_tried_all_the_time) {
  sim::TwoNodes pair;
  NoDescriptors network;
  io::World& whole = pair.n1.io();
  io::World world{whole.storage, network, whole.clock, whole.entropy, whole.helper};
  PeerConfig peer;
  const NetOptions options;
  Establisher looking(world, peer, options);
  network.looking = &looking;
  EXPECT_EQ(pair.run(look_for_ten_seconds(world, looking)), Fault::canceled);
  EXPECT_GT(network.attempts, 5);
  EXPECT_LT(network.attempts, 20);
}

}  // namespace
}  // namespace replicator
