#include "protocol/bitmap_code.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace replicator;

using Words = std::vector<std::uint64_t>;

struct Chunk {
  Packet packet;
  std::vector<std::byte> payload;
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {}
  std::uint64_t next() {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return state_;
  }
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }

 private:
  std::uint64_t state_;
};

Words empty_words(std::uint64_t bits) { return Words((bits + 63) / 64); }

void set(Words& words, std::uint64_t from, std::uint64_t count) {
  for (std::uint64_t bit = from; bit < from + count; ++bit)
    words[bit / 64] |= 1ULL << (bit % 64);
}

std::vector<Chunk> send(const Words& words, std::uint64_t bits, int version, bool rle) {
  BitmapSender sender(bits, version, rle);
  std::vector<Chunk> chunks;
  std::array<std::byte, bitmap_packet_bytes_max> out{};
  while (!sender.done()) {
    const BitmapChunk chunk = sender.next(words, out);
    EXPECT_LE(chunk.bytes + header_bytes(version), bitmap_packet_bytes_max);
    chunks.push_back(
        {chunk.packet, {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(chunk.bytes)}});
  }
  return chunks;
}

// What a peer whose bitmap was clear makes of the packets.
Words receive(const std::vector<Chunk>& chunks, std::uint64_t bits, int version) {
  Words words = empty_words(bits);
  BitmapReceiver receiver(bits, version);
  for (const Chunk& chunk : chunks) {
    EXPECT_FALSE(receiver.complete());
    const Status fed = receiver.feed(words, chunk.packet, chunk.payload);
    EXPECT_TRUE(fed.ok()) << fed.where();
    if (!fed.ok()) break;
  }
  EXPECT_TRUE(receiver.complete());
  return words;
}

std::string hex(ConstBytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    text += digits[static_cast<unsigned>(byte) >> 4U];
    text += digits[static_cast<unsigned>(byte) & 15U];
  }
  return text;
}

std::string stream_order(VliCode code) {
  std::string text;
  for (unsigned bit = 0; bit < code.bits; ++bit)
    text += ((code.code >> bit) & 1U) != 0 ? '1' : '0';
  return text;
}

TEST(VliCode, PublishedExamples) {
  EXPECT_EQ(stream_order(vli_encode(1)), "00");
  EXPECT_EQ(stream_order(vli_encode(2)), "01");
  EXPECT_EQ(stream_order(vli_encode(3)), "100");
  EXPECT_EQ(stream_order(vli_encode(4)), "101");
  EXPECT_EQ(stream_order(vli_encode(5)), "11000");
  EXPECT_EQ(stream_order(vli_encode(8)), "11011");
  EXPECT_EQ(stream_order(vli_encode(9)), "1110000");
  EXPECT_EQ(stream_order(vli_encode(16)), "1110111");
  EXPECT_EQ(stream_order(vli_encode(17)), "1111000000");
  EXPECT_EQ(stream_order(vli_encode(48)), "1111011111");
  EXPECT_EQ(stream_order(vli_encode(49)), "11111000000000");
  EXPECT_EQ(stream_order(vli_encode(304)), "11111011111111");
  EXPECT_EQ(stream_order(vli_encode(305)), "111111000000000000000");
  EXPECT_EQ(stream_order(vli_encode(1000)), "111111001110110101000");
}

TEST(VliCode, EveryLevelAndItsEdges) {
  constexpr std::uint64_t edges[] = {
      1, 3, 5, 9, 17, 49, 305, 8497, 2105649, 17181974833ULL, 72057611219902768ULL};
  Random random(1);
  std::vector<std::uint64_t> values;
  for (const std::uint64_t edge : edges) {
    for (const std::uint64_t value : {edge - 1, edge, edge + 1}) {
      if (value >= 1 && value <= 72057611219902768ULL) values.push_back(value);
    }
  }
  for (unsigned bits = 1; bits < 56; ++bits)
    values.push_back(1 + random.below(1ULL << bits));
  for (const std::uint64_t value : values) {
    const VliCode code = vli_encode(value);
    const VliCode back = vli_decode(code.code, code.bits);
    EXPECT_EQ(back.code, value);
    EXPECT_EQ(back.bits, code.bits);
    // What follows in the stream does not matter, what is missing does.
    const std::uint64_t behind = code.bits == 64 ? 0 : ~0ULL << code.bits;
    EXPECT_EQ(vli_decode(code.code | behind, 64).code, value);
    for (unsigned available = 0; available < code.bits; ++available)
      EXPECT_EQ(vli_decode(code.code, available).bits, 0U) << value << " " << available;
  }
}

// First bit, run lengths, and the payload that a kernel makes of them.
struct Example {
  bool first;
  std::vector<std::uint64_t> runs;
  const char* payload;
};

TEST(BitmapCode, PublishedExamples) {
  const Example examples[] = {
      {false, {1000}, "323fb702"},
      {true, {4086}, "b23fc50e"},
      {false, {1000, 3, 3083}, "323fb7223fda0a"},
      {false, {262127}, "327fbede03"},
      {true, {262127}, "b27fbede03"},
      {false, {1024, 1, 975}, "423fcf821f4f01"},
      {true, {5, 3, 100, 20, 872}, "b223dfcc1b3f3702"},
      {false, {3072, 1024, 6144, 1024, 250863}, "723fcfeae759fc3cdb9f67f1e72b3b00"},
  };
  for (const Example& example : examples) {
    std::uint64_t bits = 0;
    for (const std::uint64_t run : example.runs)
      bits += run;
    Words words = empty_words(bits);
    std::uint64_t at = 0;
    bool value = example.first;
    for (const std::uint64_t run : example.runs) {
      if (value) set(words, at, run);
      at += run;
      value = !value;
    }
    const std::vector<Chunk> chunks = send(words, bits, 101, true);
    ASSERT_EQ(chunks.size(), 1U) << example.payload;
    EXPECT_EQ(chunks[0].packet, Packet::compressed_bitmap);
    EXPECT_EQ(hex(chunks[0].payload), example.payload);
    EXPECT_EQ(receive(chunks, bits, 101), words);
  }
}

TEST(BitmapCode, PlainChunksAndTheirTerminator) {
  const std::uint64_t bits = 64 * 1500 - 7;
  Words words = empty_words(bits);
  set(words, 0, bits);
  for (const auto& [version, full] : {std::pair(99, 4088U), std::pair(100, 4080U)}) {
    const std::vector<Chunk> chunks = send(words, bits, version, false);
    ASSERT_EQ(chunks.size(), 4U);
    EXPECT_EQ(chunks[0].payload.size(), full);
    EXPECT_EQ(chunks[1].payload.size(), full);
    EXPECT_EQ(chunks[2].payload.size(), 1500 * 8 - 2 * full);
    EXPECT_EQ(chunks[3].payload.size(), 0U);
    for (const Chunk& chunk : chunks)
      EXPECT_EQ(chunk.packet, Packet::bitmap);
    EXPECT_EQ(receive(chunks, bits, version), words);
  }
}

TEST(BitmapCode, NoCompressionBeforeVersion90) {
  const Words words = empty_words(100000);
  EXPECT_EQ(send(words, 100000, 89, true)[0].packet, Packet::bitmap);
  EXPECT_EQ(send(words, 100000, 90, true)[0].packet, Packet::compressed_bitmap);
}

// A bitmap in stretches that are each clear, set, regular or random.
Words stretches(Random& random, std::uint64_t bits) {
  Words words = empty_words(bits);
  for (std::uint64_t at = 0; at < bits;) {
    const std::uint64_t end = std::min(bits, at + 1 + random.below(20000));
    const std::uint64_t kind = random.below(5);
    const std::uint64_t step = 1 + random.below(kind == 3 ? 400 : 4);
    for (std::uint64_t bit = at; bit < end; ++bit) {
      const bool one = kind == 0   ? false
                       : kind == 1 ? true
                       : kind == 2 ? random.below(2) != 0
                                   : bit % step == 0;
      if (one) set(words, bit, 1);
    }
    at = end;
  }
  return words;
}

TEST(BitmapCode, EveryBitmapSurvives) {
  std::size_t compressed = 0;
  std::size_t plain = 0;
  std::size_t mixed = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    const std::uint64_t bits = 1 + random.below(seed % 3 == 0 ? 200 : 300000);
    const Words words = stretches(random, bits);
    for (const int version : {86, 90, 99, 100, 101}) {
      const std::vector<Chunk> chunks = send(words, bits, version, true);
      ASSERT_EQ(receive(chunks, bits, version), words) << seed << " " << version;
      bool some_plain = false;
      bool some_compressed = false;
      for (const Chunk& chunk : chunks)
        (chunk.packet == Packet::bitmap ? some_plain : some_compressed) = true;
      mixed += some_plain && some_compressed ? 1U : 0U;
      plain += some_plain ? 1U : 0U;
      compressed += some_compressed ? 1U : 0U;
      ASSERT_EQ(receive(send(words, bits, version, false), bits, version), words);
    }
  }
  EXPECT_GT(plain, 300U);
  EXPECT_GT(compressed, 300U);
  EXPECT_GT(mixed, 100U);
}

TEST(BitmapCode, SmallBitmapsAll) {
  for (std::uint64_t bits = 1; bits <= 10; ++bits) {
    for (std::uint64_t value = 0; value < 1ULL << bits; ++value) {
      const Words words = {value};
      EXPECT_EQ(receive(send(words, bits, 101, true), bits, 101), words);
    }
  }
}

TEST(BitmapCode, ReceivingMergesAndNeverClears) {
  Words words = empty_words(1000);
  set(words, 0, 5);
  set(words, 990, 10);
  Words theirs = empty_words(1000);
  set(theirs, 3, 300);
  for (const bool rle : {true, false}) {
    Words mine = words;
    BitmapReceiver receiver(1000, 101);
    for (const Chunk& chunk : send(theirs, 1000, 101, rle))
      ASSERT_TRUE(receiver.feed(mine, chunk.packet, chunk.payload).ok());
    Words both = words;
    set(both, 3, 300);
    EXPECT_EQ(mine, both);
  }
}

// Bits that a peer sets in the last word behind the end of the device.
TEST(BitmapCode, PlainBitsBehindTheEndAreIgnored) {
  for (std::uint64_t bits = 65; bits <= 128; ++bits) {
    Words words = empty_words(bits);
    BitmapReceiver receiver(bits, 101);
    const std::vector<std::byte> all(16, std::byte{0xff});
    ASSERT_TRUE(receiver.feed(words, Packet::bitmap, all).ok());
    Words expected = empty_words(bits);
    set(expected, 0, bits);
    EXPECT_EQ(words, expected) << bits;
    EXPECT_FALSE(receiver.complete());
    ASSERT_TRUE(receiver.feed(words, Packet::bitmap, ConstBytes()).ok());
    EXPECT_TRUE(receiver.complete());
  }
}

TEST(BitmapCode, StaleBitsBehindTheEndAreNotRuns) {
  const Words words = {0, ~0ULL << 6U};
  EXPECT_EQ(receive(send(words, 70, 101, true), 70, 101), empty_words(70));
}

TEST(BitmapCode, PlainChunkMustHaveExactlyTheLengthThatIsDue) {
  for (std::size_t size = 0; size <= 4096; ++size) {
    Words words = empty_words(64 * 600);
    BitmapReceiver receiver(64 * 600, 101);
    const std::vector<std::byte> payload(size);
    EXPECT_EQ(receiver.feed(words, Packet::bitmap, payload).ok(), size == 4080) << size;
  }
}

TEST(BitmapCode, NothingAfterTheEnd) {
  const Words words = empty_words(1000);
  for (const bool rle : {true, false}) {
    Words mine = empty_words(1000);
    BitmapReceiver receiver(1000, 101);
    for (const Chunk& chunk : send(words, 1000, 101, rle))
      ASSERT_TRUE(receiver.feed(mine, chunk.packet, chunk.payload).ok());
    ASSERT_TRUE(receiver.complete());
    EXPECT_FALSE(receiver.feed(mine, Packet::bitmap, ConstBytes()).ok());
    const std::vector<std::byte> run = {std::byte{0x62}, std::byte{0}};
    EXPECT_FALSE(receiver.feed(mine, Packet::compressed_bitmap, run).ok());
  }
}

// A device that is resized, or a disk that is replaced, between two packets of a transfer.
TEST(BitmapCode, ResizedDuringTheExchangeIsRefused) {
  const std::uint64_t bits = 64 * 1000;
  const std::vector<Chunk> chunks = send(empty_words(bits), bits, 101, false);
  for (const std::uint64_t words : {1U, 999U, 1001U, 2000U}) {
    Words before = empty_words(bits);
    BitmapReceiver receiver(bits, 101);
    ASSERT_TRUE(receiver.feed(before, Packet::bitmap, chunks[0].payload).ok());
    Words after(words);
    EXPECT_FALSE(receiver.feed(after, Packet::bitmap, chunks[1].payload).ok());
    EXPECT_FALSE(receiver.complete());
  }
}

Status feed_bytes(std::uint64_t bits, std::vector<unsigned> bytes) {
  Words words = empty_words(bits);
  BitmapReceiver receiver(bits, 101);
  std::vector<std::byte> payload;
  for (const unsigned byte : bytes)
    payload.push_back(static_cast<std::byte>(byte));
  return receiver.feed(words, Packet::compressed_bitmap, payload);
}

TEST(BitmapCode, MalformedCodesAreRefused) {
  EXPECT_FALSE(feed_bytes(1000, {}).ok());
  EXPECT_FALSE(feed_bytes(1000, {0x32}).ok());                    // no code
  EXPECT_TRUE(feed_bytes(1000, {0x32, 0x3f, 0xb7, 0x02}).ok());   // 1000 clear
  EXPECT_FALSE(feed_bytes(999, {0x32, 0x3f, 0xb7, 0x02}).ok());   // beyond the end
  EXPECT_FALSE(feed_bytes(1000, {0x42, 0x3f, 0xb7, 0x02}).ok());  // a bit is missing
  EXPECT_FALSE(feed_bytes(1000, {0x22, 0x3f, 0xb7, 0x02}).ok());  // a bit too many
  EXPECT_FALSE(feed_bytes(1000, {0x32, 0x3f, 0xb7}).ok());        // truncated
  for (unsigned encoding = 0; encoding < 16; ++encoding) {
    if (encoding != 2) {
      EXPECT_FALSE(feed_bytes(1000, {0x30U | encoding, 0x3f, 0xb7, 0x02}).ok());
    }
  }
  // The longest run there is, and one more than fits into 64 bits of offset.
  EXPECT_FALSE(feed_bytes(1000, {0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}).ok());
  EXPECT_FALSE(feed_bytes(1000, {0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
                   .ok());
}

TEST(BitmapCode, TruncatedCodesNeverComplete) {
  Random random(5);
  const std::uint64_t bits = 20000;
  const Words words = stretches(random, bits);
  const std::vector<Chunk> chunks = send(words, bits, 101, true);
  for (std::size_t size = 0; size < chunks[0].payload.size(); ++size) {
    Words mine = empty_words(bits);
    BitmapReceiver receiver(bits, 101);
    static_cast<void>(
        receiver.feed(mine, chunks[0].packet, ConstBytes(chunks[0].payload).first(size)));
    EXPECT_FALSE(receiver.complete());
    for (std::size_t i = 0; i < mine.size(); ++i)
      EXPECT_EQ(mine[i] & ~words[i], 0U);
  }
}

TEST(BitmapCode, DamagedCodesStayInside) {
  const std::uint64_t bits = 4086;
  const std::uint64_t behind = ~0ULL << (bits % 64);
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Random random(seed);
    Words mine = empty_words(bits);
    mine.push_back(0);  // stays clear: nothing is written behind the bitmap
    const std::span<std::uint64_t> lent = std::span(mine).first(mine.size() - 1);
    BitmapReceiver receiver(bits, 101);
    for (int packet = 0; packet < 4 && !receiver.complete(); ++packet) {
      std::vector<std::byte> payload(2 + random.below(60));
      for (std::byte& byte : payload)
        byte = static_cast<std::byte>(random.next() & random.next());
      payload[0] = static_cast<std::byte>((random.below(16) << 4U) | 2U);
      static_cast<void>(receiver.feed(lent, Packet::compressed_bitmap, payload));
    }
    EXPECT_EQ(mine[mine.size() - 2] & behind, 0U);
    EXPECT_EQ(mine.back(), 0U);
  }
}

}  // namespace
