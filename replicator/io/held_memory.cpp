#include "io/held_memory.hpp"

#include "base/sabotage.hpp"

namespace replicator::io {

namespace {

struct Lists {
  List<HeldMemory::Hold> holds;
  List<HeldMemory::Listener> listeners;
};

Lists& lists() noexcept {
  thread_local Lists mine;
  return mine;
}

bool overlap(ConstBytes a, ConstBytes b) noexcept {
  return a.data() < b.data() + b.size() && b.data() < a.data() + a.size();
}

}  // namespace

HeldMemory::Hold::Hold(ConstBytes memory) noexcept : memory_(memory) {
  lists().holds.push_back(*this);
}

HeldMemory::Hold::~Hold() {
  unlink();
  List<Listener>& listeners = lists().listeners;
  for (Listener* next = listeners.first(); next != nullptr;) {
    Listener& listener = *next;
    next = listeners.next(listener);  // it may stop listening
    listener.memory_freed();
  }
}

void HeldMemory::listen(Listener& listener) noexcept {
  if (!listener.linked()) lists().listeners.push_back(listener);
}

bool HeldMemory::holds(ConstBytes memory) noexcept {
  List<Hold>& holds = lists().holds;
  if (sabotage(Sabotage::reuse_held_memory)) return false;
  for (Hold* hold = holds.first(); hold != nullptr; hold = holds.next(*hold)) {
    if (overlap(hold->memory_, memory)) return true;
  }
  return false;
}

}  // namespace replicator::io
