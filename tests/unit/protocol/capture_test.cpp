// The reader of captures itself: what TCP may do to a stream on its way.
#include "tests/support/capture.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace {

using namespace replicator;
using namespace replicator::testing_support;

constexpr std::size_t headers = 14 + 20 + 20;

// A capture file, segment by segment, all of one direction.
class File {
 public:
  File() {
    bytes_.resize(24);
    write_native<std::uint32_t>(bytes_, 0, 0xa1b2c3d4);
    write_native<std::uint32_t>(bytes_, 20, 1);
  }
  File& segment(std::uint32_t sequence, std::string_view payload, bool syn = false) {
    const std::size_t at = bytes_.size();
    const std::size_t size = std::max<std::size_t>(60, headers + payload.size());
    bytes_.resize(at + 16 + size);
    const Bytes record = Bytes(bytes_).subspan(at);
    write_native(record, 8, static_cast<std::uint32_t>(size));
    write_native(record, 12, static_cast<std::uint32_t>(size));
    const Bytes frame = record.subspan(16);
    write_be16(frame, 12, 0x0800);
    frame[14] = std::byte{0x45};
    write_be16(frame, 16, static_cast<std::uint16_t>(headers - 14 + payload.size()));
    frame[23] = std::byte{6};
    write_be32(frame, 26, 1);
    write_be32(frame, 30, 2);
    write_be16(frame, 34, 7789);
    write_be16(frame, 36, 4000);
    write_be32(frame, 38, sequence);
    frame[46] = std::byte{0x50};
    frame[47] = syn ? std::byte{2} : std::byte{16};
    copy_bytes(frame.subspan(headers), std::as_bytes(std::span(payload)));
    return *this;
  }
  File& syn(std::uint32_t sequence) { return segment(sequence, "", true); }
  [[nodiscard]] ConstBytes bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

std::string read(const CapturedStream& stream) {
  std::string text;
  for (const std::byte byte : stream.bytes)
    text += static_cast<char>(byte);
  return text;
}

std::vector<CapturedStream> streams_of(const File& file) {
  Capture capture;
  EXPECT_TRUE(capture.add(file.bytes()));
  return capture.streams();
}

TEST(Capture, SegmentsInOrder) {
  const auto streams = streams_of(File().syn(99).segment(100, "abc").segment(103, "def"));
  ASSERT_EQ(streams.size(), 1U);
  EXPECT_EQ(read(streams[0]), "abcdef");
  EXPECT_TRUE(streams[0].from_start);
  EXPECT_EQ(streams[0].from, (TcpEnd{1, 7789}));
  EXPECT_EQ(streams[0].to, (TcpEnd{2, 4000}));
}

TEST(Capture, SegmentsInAnyOrder) {
  const auto streams = streams_of(
      File().syn(99).segment(106, "ghi").segment(103, "def").segment(100, "abc").segment(109, "j"));
  EXPECT_EQ(read(streams.at(0)), "abcdefghij");
  EXPECT_EQ(streams[0].stranded, 0U);
}

TEST(Capture, RepeatedAndOverlappingSegments) {
  const auto streams = streams_of(File()
                                      .syn(99)
                                      .syn(99)
                                      .segment(100, "abc")
                                      .segment(100, "abcde")
                                      .segment(101, "b")
                                      .segment(104, "ef"));
  ASSERT_EQ(streams.size(), 1U);
  EXPECT_EQ(read(streams[0]), "abcdef");
  EXPECT_EQ(streams[0].repeated, 5U);
}

TEST(Capture, SequenceNumbersWrap) {
  const auto streams =
      streams_of(File().syn(0xfffffffd).segment(0xfffffffe, "abc").segment(1, "def"));
  EXPECT_EQ(read(streams.at(0)), "abcdef");
}

TEST(Capture, AGapStrandsWhatFollows) {
  const auto streams = streams_of(File().syn(99).segment(100, "abc").segment(104, "ef"));
  EXPECT_EQ(read(streams.at(0)), "abc");
  EXPECT_EQ(streams[0].stranded, 2U);
}

TEST(Capture, ASecondConnectionOfTheSamePorts) {
  const auto streams =
      streams_of(File().syn(99).segment(100, "abc").syn(5000).segment(5001, "def"));
  ASSERT_EQ(streams.size(), 2U);
  EXPECT_EQ(read(streams[0]), "abc");
  EXPECT_EQ(read(streams[1]), "def");
}

TEST(Capture, AConnectionGoesOnInTheNextFile) {
  Capture capture;
  EXPECT_TRUE(capture.add(File().segment(100, "abc").bytes()));
  EXPECT_TRUE(capture.add(File().segment(103, "def").bytes()));
  ASSERT_EQ(capture.streams().size(), 1U);
  EXPECT_EQ(read(capture.streams()[0]), "abcdef");
  EXPECT_FALSE(capture.streams()[0].from_start);
}

TEST(Capture, DamagedFilesAreRefused) {
  const File file = File().syn(99).segment(100, "abc");
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{23}, std::size_t{30}, file.bytes().size() - 1}) {
    Capture capture;
    EXPECT_FALSE(capture.add(file.bytes().first(size))) << size;
  }
}

}  // namespace
