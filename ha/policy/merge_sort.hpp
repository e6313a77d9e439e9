// A stable merge sort that asks its comparison in a fixed order. The orders in which resources are
// considered come from many criteria that do not always form a consistent whole; the outcome must
// still be the same everywhere.
#pragma once

#include <vector>

namespace ha::policy {

// `compare(a, b)` is negative when a comes first, positive when b does.
template <class T, class Compare>
void merge_sort(std::vector<T>& items, const Compare& compare) {
  if (items.size() < 2) return;
  const auto middle = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
  std::vector<T> left(items.begin(), middle);
  std::vector<T> right(middle, items.end());
  merge_sort(left, compare);
  merge_sort(right, compare);
  std::size_t i = 0;
  std::size_t j = 0;
  for (T& item : items) {
    const bool take_left =
        j == right.size() || (i < left.size() && compare(left[i], right[j]) <= 0);
    item = take_left ? left[i++] : right[j++];
  }
}

// Inserts before the first that does not come earlier.
template <class T, class Compare>
void insert_sorted(std::vector<T>& items, const T& item, const Compare& compare) {
  auto at = items.begin();
  while (at != items.end() && compare(item, *at) > 0)
    ++at;
  items.insert(at, item);
}

}  // namespace ha::policy
