// events2: tells whoever watches what changes, as lines of text (control/event_lines.hpp), in order
// and without a gap.
//   P6  a watcher that does not take its lines costs a bounded queue: when that is full, what is in
//       it is dropped and the watcher is told that it was too slow and let go. Nobody else waits
//       for it.
// What was last told is remembered only while somebody watches.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/event_lines.hpp"
#include "control/messages.hpp"
#include "engine/status.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"

namespace replicator {

class EventHub {
 public:
  using AllStatus = std::function<std::vector<ResourceStatus>()>;

  // How much a watcher may leave lying about: this, and as much again for each volume of the node,
  // so that no change of all volumes at once is too much.
  static constexpr std::size_t queue_bytes = std::size_t{1} << 20U;
  static constexpr std::size_t queue_bytes_per_volume = std::size_t{4} << 10U;
  static constexpr std::size_t watchers_max = 16;

  EventHub(io::Clock& clock, AllStatus all_status);

  [[nodiscard]] bool watched() const noexcept { return !watchers_.empty(); }
  [[nodiscard]] bool full() const noexcept { return watchers_.size() >= watchers_max; }

  // What happened; nothing is done while nobody watches.
  void look_at(const ResourceStatus& resource);
  void look_at(const std::string& resource, const VolumeStatus& volume);
  void gone(const std::string& resource);
  void helper(const std::string& resource, std::optional<std::uint32_t> minor,
              std::string_view handler, std::optional<std::int32_t> status);

  // Serves one watcher until it leaves, was too slow, has what it asked for (option `now`), or
  // stop(). `resource`: empty for all. Whatever the watcher says asks for a new dump.
  Task<void> serve(std::string resource, control::OptionMap options, io::Stream& stream);
  // Takes leave of everybody; those who do not listen are cut off after a moment.
  Task<void> stop();

 private:
  struct Watcher {
    explicit Watcher(io::Stream& s) : stream(s) {}
    io::Stream& stream;
    std::string resource;
    control::EventStyle style;
    std::string queue;
    bool leaving = false;  // with what is in the queue
    bool gone = false;
    io::Event news;
    io::Gate listener;  // last: its frame refers to everything above
  };

  void refresh();
  void tell(const std::string& resource, const std::vector<control::Event>& events);
  void put(Watcher& watcher, std::string_view text);
  void dismiss(Watcher& watcher, std::string_view why);
  void dump(Watcher& watcher);
  [[nodiscard]] std::size_t limit() const noexcept;
  Task<void> listen(Watcher& watcher);
  Task<void> write(Watcher& watcher);

  io::Clock& clock_;
  AllStatus all_status_;
  bool stopping_ = false;
  std::map<std::string, ResourceStatus, std::less<>> known_;
  std::list<Watcher*> watchers_;
  io::Event left_;
};

}  // namespace replicator
