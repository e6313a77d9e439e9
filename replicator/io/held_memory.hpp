// Memory that a disk which was given up may still read from or write to. Whoever gives memory back
// for other use asks here first: a late read would scribble over what comes next, a late write
// would put it on the disk. One list a thread.
#pragma once

#include "base/bytes.hpp"
#include "base/list.hpp"

namespace replicator::io {

class HeldMemory {
 public:
  // One operation's memory, from construction to destruction.
  class Hold : public ListNode {
   public:
    explicit Hold(ConstBytes memory) noexcept;
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold();

   private:
    friend class HeldMemory;
    ConstBytes memory_;
  };

  // Told whenever memory is free again, while it listens.
  class Listener : public ListNode {
   public:
    virtual void memory_freed() noexcept = 0;

   protected:
    ~Listener() = default;
  };
  static void listen(Listener& listener) noexcept;

  // Some of it is held.
  [[nodiscard]] static bool holds(ConstBytes memory) noexcept;
};

}  // namespace replicator::io
