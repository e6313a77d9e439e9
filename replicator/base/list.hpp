// Intrusive doubly linked list. A node unlinks itself when destroyed, so a waiter that dies with
// its coroutine frame can never be found by a queue afterwards. A node is on at most one list per
// base.
#pragma once

#include <cstddef>

#include "base/ensure.hpp"

namespace replicator {

class ListNode {
 public:
  ListNode() noexcept = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    next_ = nullptr;
    prev_ = nullptr;
  }

 private:
  template <class T>
  friend class List;
  ListNode* next_ = nullptr;
  ListNode* prev_ = nullptr;
};

// T derives from ListNode. The list owns nothing.
template <class T>
class List {
 public:
  List() noexcept {
    head_.next_ = &head_;
    head_.prev_ = &head_;
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    while (!empty())
      front().unlink();
    head_.next_ = nullptr;
    head_.prev_ = nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }
  T& front() noexcept { return static_cast<T&>(*head_.next_); }
  T& back() noexcept { return static_cast<T&>(*head_.prev_); }

  void push_back(T& item) noexcept {
    ListNode& node = item;
    ensure(!node.linked());
    link_before(node, head_);
  }
  void push_front(T& item) noexcept {
    ListNode& node = item;
    ensure(!node.linked());
    link_before(node, *head_.next_);
  }
  // Null when empty.
  T* pop_front() noexcept {
    if (empty()) return nullptr;
    T& item = front();
    static_cast<ListNode&>(item).unlink();
    return &item;
  }
  // The item after this one, or null at the end.
  T* next(T& item) noexcept {
    ListNode& node = item;
    return node.next_ == &head_ ? nullptr : static_cast<T*>(node.next_);
  }
  T* first() noexcept { return empty() ? nullptr : &front(); }
  // Moves everything of `from` to the end of this list.
  void splice_back(List& from) noexcept {
    while (T* item = from.pop_front())
      push_back(*item);
  }

 private:
  static void link_before(ListNode& node, ListNode& place) noexcept {
    node.next_ = &place;
    node.prev_ = place.prev_;
    place.prev_->next_ = &node;
    place.prev_ = &node;
  }
  ListNode head_;
};

}  // namespace replicator
