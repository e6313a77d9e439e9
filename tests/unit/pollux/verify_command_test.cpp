// What `pollux verify` says where there is nothing to compare: a wrong name and a daemon that is
// not there are different things.
#include "pollux/verify_command.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "control/codes.hpp"

namespace replicator::pollux {
namespace {

class Answers final : public control::Client {
 public:
  explicit Answers(Result<control::Reply> reply) : reply_(std::move(reply)) {}
  [[nodiscard]] Result<control::Reply> call(const control::Request&, std::uint32_t) const override {
    return reply_;
  }

 private:
  Result<control::Reply> reply_;
};

control::Reply refused(int code, std::string line = {}) {
  control::Reply reply;
  reply.code = code;
  if (!line.empty()) reply.info.push_back(std::move(line));
  return reply;
}

std::string said_of(Result<control::Reply> reply) {
  const Answers client(std::move(reply));
  const std::vector<std::string> words{"r7"};
  std::FILE* err = std::tmpfile();
  EXPECT_EQ(run_verify(words, err, err, client), 3);
  std::fflush(err);
  std::string text(512, '\0');
  const ssize_t got = pread(fileno(err), text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  std::fclose(err);
  return text;
}

TEST(VerifyCommand, SaysWhyItIsNotDone) {
  const std::string begin = "pollux verify: r7: ";
  EXPECT_EQ(said_of(refused(control::err_resource_unknown, "unknown resource")),
            begin + "no such resource is running here: drbdadm up r7\n");
  EXPECT_EQ(said_of(refused(control::err_minor_invalid)),
            begin + "no such resource is running here: drbdadm up r7\n");
  EXPECT_EQ(said_of(refused(control::err_permission, "only root may")), begin + "only root may\n");
  for (const Fault fault : {Fault::not_found, Fault::timed_out, Fault::closed}) {
    EXPECT_EQ(said_of(tl::unexpected<Status>(Status(fault))),
              begin + "the daemon does not answer\n");
  }
  EXPECT_EQ(said_of(control::Reply()), begin + "the daemon's answer is not understood\n");
}

}  // namespace
}  // namespace replicator::pollux
