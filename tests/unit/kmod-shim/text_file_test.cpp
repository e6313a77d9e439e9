// Who may have how many texts open.
#include "fuse/text_file.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace replicator::shim {
namespace {

TEST(text_file, others_who_hold_it_open_do_not_keep_root_out) {
  TextFile file([] { return std::string("text"); });
  std::vector<std::uint64_t> handles;
  std::uint64_t handle = 0;
  int error = 0;
  for (std::uint32_t user = 1; error == 0 && handles.size() < 5000; ++user) {
    error = file.open({false, user}, handle);
    if (error == 0) handles.push_back(handle);
  }
  EXPECT_EQ(error, ENFILE);
  EXPECT_EQ(file.open({false, 0}, handle), 0);
  file.release(handle, false);
  EXPECT_EQ(file.open({false, 7}, handle), ENFILE) << "root's share is root's";
  file.release(handles.back(), false);
  file.release(handles.back(), false);  // of a handle that is closed already
  EXPECT_EQ(file.open({false, 7}, handle), 0);
  EXPECT_EQ(file.open({false, 7}, handle), ENFILE);
  EXPECT_EQ(file.open({true, 0}, handle), EACCES);
}

}  // namespace
}  // namespace replicator::shim
