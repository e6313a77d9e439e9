// One drbdadm beside drbdmon: started, its output collected, its end noticed, without waiting.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace replicator::monitor {

class Command {
 public:
  Command() = default;
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // False: it could not be started; output() says why.
  bool start(const std::vector<std::string>& words);
  [[nodiscard]] bool running() const noexcept { return child_ > 0; }
  // To be polled for reading; -1: nothing more comes.
  [[nodiscard]] int descriptor() const noexcept { return pipe_; }
  // Takes what it has said. True: it has ended, now.
  bool look();
  [[nodiscard]] const std::string& output() const noexcept { return output_; }
  [[nodiscard]] int exit_code() const noexcept { return exit_code_; }

 private:
  void drain();
  void close_pipe() noexcept;

  pid_t child_ = -1;
  int pipe_ = -1;
  int exit_code_ = 0;
  std::string output_;
};

// drbdadm of the same installation: beside this program, else wherever PATH finds one.
std::string drbdadm_program();

}  // namespace replicator::monitor
