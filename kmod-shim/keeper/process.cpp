#include "keeper/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <vector>

#include "keeper/messages.hpp"
#include "keeper/packet.hpp"

namespace replicator::shim::keeper {

namespace {

constexpr std::size_t clients_max = 16;
constexpr int patience_s = 5;

struct Kept {
  std::string name;
  std::string note;
  FileDescriptor fd;
};

bool address_of(const std::string& path, sockaddr_un& address) noexcept {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.data(), path.size());
  return true;
}

FileDescriptor connected_to(const sockaddr_un& address) {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (socket &&
      connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return socket;
  return FileDescriptor();
}

// One that is about to end does not.
bool answers(const FileDescriptor& keeper) {
  const timeval patience = {patience_s, 0};
  setsockopt(keeper.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  Packet answer;
  return send_packet(keeper.get(), text({Message::Verb::fetch, "nothing", ""}), -1) &&
         receive_packet(keeper.get(), answer);
}

FileDescriptor listen_at(const sockaddr_un& address) {
  unlink(address.sun_path);
  FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t before = umask(0177);
  const bool bound = socket && bind(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                                    sizeof address) == 0;
  umask(before);
  if (bound && listen(socket.get(), clients_max) == 0) return socket;
  return FileDescriptor();
}

// Nothing of the daemon's stays open: somebody may be waiting for the end of one of its pipes.
FileDescriptor keep_only(int listener) noexcept {
  constexpr int kept = 3;
  if (listener != kept) dup3(listener, kept, O_CLOEXEC);
  close_range(kept + 1, ~0U, 0);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int fd : {0, 1, 2})
    dup2(null, fd);
  if (null > 2) close(null);
  return FileDescriptor(kept);
}

// Of the command line, too: `kill $(pidof polluxd)` must not find it.
void take_name(const char* name) noexcept {
  prctl(PR_SET_NAME, name);
  std::FILE* const file = std::fopen("/proc/self/cmdline", "re");
  if (file == nullptr) return;
  std::size_t bytes = 0;
  while (std::fgetc(file) != EOF)
    ++bytes;
  std::fclose(file);
  if (bytes == 0) return;
  // The words of the command line lie behind each other, the program's first.
  char* const words = program_invocation_name;
  std::memset(words, 0, bytes);
  std::memcpy(words, name, std::min(bytes - 1, std::strlen(name)));
}

void settle_down() noexcept {
  setsid();
  if (chdir("/") != 0) return;
  for (int number = 1; number < NSIG; ++number)
    if (number != SIGTERM) signal(number, SIG_IGN);
  signal(SIGTERM, SIG_DFL);
  // The successor of an upgrade has inherited a mask that blocks it.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  take_name("pollux-keeper");
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = std::min<rlim_t>(descriptors.rlim_max, 2 * kept_max);
    setrlimit(RLIMIT_NOFILE, &descriptors);
  }
  if (std::FILE* const file = std::fopen("/proc/self/oom_score_adj", "we")) {
    std::fputs("-1000", file);
    std::fclose(file);
  }
  // Only the pages that it touches.
  mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

class Keeper {
 public:
  explicit Keeper(FileDescriptor listener) : listener_(std::move(listener)) {}

  void run() {
    do {
      wait();
    } while (!clients_.empty() || !kept_.empty());
  }

 private:
  void wait() {
    std::vector<pollfd> polls = {{listener_.get(), POLLIN, 0}};
    for (const FileDescriptor& client : clients_)
      polls.push_back({client.get(), POLLIN, 0});
    if (poll(polls.data(), polls.size(), -1) <= 0) return;
    for (std::size_t i = polls.size(); i-- > 1;)
      if (polls[i].revents != 0 && !serve(clients_[i - 1]))
        clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(i - 1));
    if (polls[0].revents != 0) admit();
  }

  void admit() {
    FileDescriptor client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client || clients_.size() >= clients_max) return;
    ucred who = {};
    socklen_t size = sizeof who;
    if (getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || who.uid != 0) return;
    clients_.push_back(std::move(client));
  }

  bool serve(const FileDescriptor& client) {
    Packet packet;
    if (!receive_packet(client.get(), packet)) return false;
    std::optional<Message> message = parse_message(packet.text);
    if (!message) return send_packet(client.get(), "refused", -1);
    const auto found = std::find_if(kept_.begin(), kept_.end(), [&message](const Kept& each) {
      return each.name == message->name;
    });
    if (message->verb == Message::Verb::fetch) {
      if (found == kept_.end()) return send_packet(client.get(), "none", -1);
      return send_packet(client.get(), "ok\n" + found->note, found->fd.get());
    }
    const bool keep = message->verb == Message::Verb::keep;
    if (keep && (!packet.fd || (found == kept_.end() && kept_.size() >= kept_max)))
      return send_packet(client.get(), "refused", -1);
    if (found != kept_.end()) kept_.erase(found);
    if (keep)
      kept_.push_back({std::move(message->name), std::move(message->note), std::move(packet.fd)});
    return send_packet(client.get(), "ok", -1);
  }

  FileDescriptor listener_;
  std::vector<FileDescriptor> clients_;
  std::vector<Kept> kept_;
};

}  // namespace

void serve(FileDescriptor listener) { Keeper(std::move(listener)).run(); }

FileDescriptor find_or_start(const std::string& path) {
  sockaddr_un address;
  if (!address_of(path, address)) return FileDescriptor();
  if (FileDescriptor running = connected_to(address); running && answers(running)) return running;
  FileDescriptor listener = listen_at(address);
  if (!listener) return FileDescriptor();
  // Waits to be accepted: the keeper is not without a daemon from its first moment on.
  FileDescriptor connection = connected_to(address);
  const pid_t first = connection ? fork() : -1;
  if (first < 0) return FileDescriptor();
  if (first == 0) {
    // Not a child of the daemon's.
    if (fork() != 0) _exit(0);
    settle_down();
    serve(keep_only(listener.get()));
    _exit(0);
  }
  waitpid(first, nullptr, 0);
  return connection;
}

}  // namespace replicator::shim::keeper
