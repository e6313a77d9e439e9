#include "control/resource_name.hpp"

#include <gtest/gtest.h>

#include <string>

#include "undo/undo_format.hpp"

namespace replicator::control {
namespace {

TEST(ResourceName, WhatCanBeAFileAndAnUndoHeader) {
  const struct {
    std::string name;
    bool fits;
  } rows[] = {
      {"r0", true},
      {"data.1", true},
      {"a b", true},
      {"k\xc3\xbc", true},
      {std::string(127, 'x'), true},
      {std::string(128, 'x'), false},
      {"", false},
      {".", false},
      {"..", false},
      {".hidden", false},
      {"../../etc/passwd", false},
      {"a/b", false},
      {"/", false},
      {"a\nb", false},
      {std::string("a\0b", 3), false},
      {"a\x7f", false},
  };
  for (const auto& row : rows)
    EXPECT_EQ(is_resource_name(row.name), row.fits) << row.name;
  EXPECT_LE(resource_name_max, undo_name_max);
}

}  // namespace
}  // namespace replicator::control
