#include "daemon/event_hub.hpp"

#include <array>
#include <span>
#include <utility>

#include "base/log.hpp"

namespace replicator {

namespace {

using control::Event;

// How long a chunk may lie unread. A terminal may be halted, a script may be busy; what waits for
// them is bounded.
constexpr Duration patience = Duration::seconds(600);
constexpr Duration farewell_patience = Duration::seconds(1);

bool flag(const control::OptionMap& options, std::string_view name) {
  const auto found = options.find(name);
  return found != options.end() && found->second != "no";
}

}  // namespace

EventHub::EventHub(io::Clock& clock, AllStatus all_status)
    : clock_(clock), all_status_(std::move(all_status)) {}

void EventHub::look_at(const ResourceStatus& resource) {
  if (!watched()) return;
  const auto found = known_.find(resource.name);
  const ResourceStatus* before = found == known_.end() ? nullptr : &found->second;
  const std::vector<Event> events = control::events_between(before, &resource);
  known_[resource.name] = resource;
  tell(resource.name, events);
}

void EventHub::look_at(const std::string& resource, const VolumeStatus& volume) {
  if (!watched()) return;
  const auto found = known_.find(resource);
  if (found != known_.end()) tell(resource, control::events_of_volume(found->second, volume));
}

void EventHub::gone(const std::string& resource) {
  const auto found = known_.find(resource);
  if (found == known_.end()) return;
  const std::vector<Event> events = control::events_between(&found->second, nullptr);
  known_.erase(found);
  tell(resource, events);
}

void EventHub::helper(const std::string& resource, std::optional<std::uint32_t> minor,
                      std::string_view handler, std::optional<std::int32_t> status) {
  const auto found = known_.find(resource);
  if (found == known_.end()) return;
  const VolumeStatus* volume = nullptr;
  for (const VolumeStatus& each : found->second.volumes) {
    if (minor && each.minor == *minor) volume = &each;
  }
  const std::string line = control::helper_line(found->second, volume, handler, status);
  for (Watcher* watcher : watchers_) {
    if (watcher->resource.empty() || watcher->resource == resource) put(*watcher, line);
  }
}

// Fresh statistics for a dump. A change that came without a word is told by the way.
void EventHub::refresh() {
  for (const ResourceStatus& resource : all_status_())
    look_at(resource);
}

void EventHub::tell(const std::string& resource, const std::vector<Event>& events) {
  if (events.empty()) return;
  for (Watcher* watcher : watchers_) {
    if (!watcher->resource.empty() && watcher->resource != resource) continue;
    for (const Event& event : events)
      put(*watcher, control::event_line(event, watcher->style));
  }
}

std::size_t EventHub::limit() const noexcept {
  std::size_t volumes = 0;
  for (const auto& [name, resource] : known_)
    volumes += 1 + resource.volumes.size();
  return queue_bytes + volumes * queue_bytes_per_volume;
}

void EventHub::put(Watcher& watcher, std::string_view text) {
  if (watcher.leaving) return;
  watcher.queue += text;
  if (watcher.queue.size() > limit()) {
    log::warning("events2: a watcher does not take what it is told, it is let go");
    watcher.queue = std::string();
    dismiss(watcher, "events were lost: they were not read as fast as they came");
  }
  watcher.news.notify_all();
}

void EventHub::dismiss(Watcher& watcher, std::string_view why) {
  watcher.queue.append("closed ").append(why).append("\n");
  watcher.leaving = true;
  watcher.news.notify_all();
}

void EventHub::dump(Watcher& watcher) {
  refresh();
  for (const auto& [name, resource] : known_) {
    if (!watcher.resource.empty() && watcher.resource != name) continue;
    for (const Event& event : control::events_of(resource))
      put(watcher, control::event_line(event, watcher.style));
  }
  put(watcher, control::end_of_dump);
}

Task<void> EventHub::serve(std::string resource, control::OptionMap options, io::Stream& stream) {
  if (stopping_) co_return;
  Watcher watcher(stream);
  watcher.resource = std::move(resource);
  watcher.style.statistics = flag(options, "statistics");
  watcher.style.full = flag(options, "full");
  watcher.style.diff = flag(options, "diff");
  if (watchers_.empty()) known_.clear();
  watchers_.push_back(&watcher);
  // What it has not seen yet is no change to it.
  for (const ResourceStatus& each : all_status_())
    known_.try_emplace(each.name, each);
  dump(watcher);
  if (flag(options, "now")) watcher.leaving = true;
  watcher.listener.start(listen(watcher));
  co_await write(watcher);
  watchers_.remove(&watcher);
  if (watchers_.empty()) known_.clear();
  stream.shutdown();
  co_await watcher.listener.close();
  left_.notify_all();
}

Task<void> EventHub::listen(Watcher& watcher) {
  std::array<std::byte, 512> chunk{};
  const Bytes into(chunk);
  while (!watcher.gone) {
    io::Op op;
    watcher.stream.receive(op, into);
    const std::int32_t got = co_await op;
    if (got > 0) {
      if (!watcher.leaving) dump(watcher);
      continue;
    }
    watcher.gone = true;
    watcher.news.notify_all();
  }
}

Task<void> EventHub::write(Watcher& watcher) {
  while (!watcher.gone) {
    if (watcher.queue.empty()) {
      if (watcher.leaving) co_return;
      io::Event::Wait wait(watcher.news);
      co_await wait;
      continue;
    }
    const std::string text = std::exchange(watcher.queue, std::string());
    const io::IoSlice slice{reinterpret_cast<const std::byte*>(text.data()), text.size()};
    const std::span<const io::IoSlice> slices(&slice, 1);
    io::Op op;
    watcher.stream.send(op, slices, patience);
    const std::int32_t sent = co_await op;
    if (sent < 0) co_return;
  }
}

Task<void> EventHub::stop() {
  stopping_ = true;
  for (Watcher* watcher : watchers_) {
    if (!watcher->leaving) dismiss(*watcher, "polluxd has ended");
  }
  const Instant until = clock_.now() + farewell_patience;
  while (!watchers_.empty() && clock_.now() < until) {
    io::Op op;
    clock_.sleep(op, Duration::milliseconds(10));
    co_await op;
  }
  for (Watcher* watcher : watchers_)
    watcher->stream.shutdown();
  while (!watchers_.empty()) {
    io::Event::Wait wait(left_);
    co_await wait;
  }
}

}  // namespace replicator
