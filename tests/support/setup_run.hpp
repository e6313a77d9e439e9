// One run of drbdsetup against a daemon that answers as told, with what it printed.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "command/drbdsetup.hpp"

namespace replicator::test {

class ScriptedClient final : public control::Client {
 public:
  using Answer = std::function<Result<control::Reply>(const control::Request&)>;

  explicit ScriptedClient(Answer answer)
      : control::Client("/run/test.sock"), answer_(std::move(answer)) {}
  Result<control::Reply> call(const control::Request& request, std::uint32_t) const override {
    asked.push_back(request);
    return answer_(request);
  }
  mutable std::vector<control::Request> asked;

 private:
  Answer answer_;
};

struct SetupRun {
  int code = 0;
  std::string out;
  std::string err;
  std::vector<control::Request> asked;
};

inline SetupRun run_setup(const std::vector<std::string>& words, ScriptedClient::Answer answer) {
  const ScriptedClient client(std::move(answer));
  char* out = nullptr;
  char* err = nullptr;
  std::size_t out_size = 0;
  std::size_t err_size = 0;
  std::FILE* const out_file = ::open_memstream(&out, &out_size);
  std::FILE* const err_file = ::open_memstream(&err, &err_size);
  SetupRun run;
  run.code = command::run_drbdsetup(words, out_file, err_file, client);
  std::fclose(out_file);
  std::fclose(err_file);
  run.out.assign(out, out_size);
  run.err.assign(err, err_size);
  std::free(out);
  std::free(err);
  run.asked = client.asked;
  return run;
}

}  // namespace replicator::test
