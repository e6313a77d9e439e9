#include "control/messages.hpp"

#include <gtest/gtest.h>

#include "control/codes.hpp"

namespace replicator::control {
namespace {

TEST(Messages, RequestSurvivesTheRoundTrip) {
  const Request request{"attach",
                        "0",
                        {"/dev/vdb", "/dev/vdb", "internal"},
                        {{"resync-rate", "10M"}, {"force", "yes"}}};
  const std::string line = encode(request);
  EXPECT_EQ(line.back(), '\n');
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const Result<Request> decoded = decode_request(line);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, request);
}

TEST(Messages, ReplySurvivesTheRoundTrip) {
  Reply reply;
  reply.code = -2;
  reply.info = {"failed to promote", "line \"two\"\n"};
  reply.data = DataObject().add("timeout", true).add("pid", std::uint64_t{7}).add("a", "b").text();
  const Result<Reply> decoded = decode_reply(encode(reply));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->code, -2);
  EXPECT_EQ(decoded->info, reply.info);
  EXPECT_TRUE(data_flag(*decoded, "timeout"));
  EXPECT_EQ(data_number(*decoded, "pid"), 7U);
  EXPECT_EQ(data_text(*decoded, "a"), "b");
  EXPECT_EQ(data_text(*decoded, "pid"), "");
  EXPECT_FALSE(data_flag(*decoded, "absent"));
}

TEST(Messages, BytesThatAreNotUtf8DoNotEndTheProcess) {
  const Request request{"attach", "0", {"/dev/\xff"}, {}};
  const Result<Request> decoded = decode_request(encode(request));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->arguments[0], "/dev/\xef\xbf\xbd");
}

TEST(Messages, RefusesWhatIsNotARequest) {
  for (const std::string_view line :
       {"", "{", "[]", "null", "{}", R"({"command":""})", R"({"command":1})",
        R"({"command":"a","object":0})", R"({"command":"a","arguments":"x"})",
        R"({"command":"a","arguments":[1]})", R"({"command":"a","options":[]})",
        R"({"command":"a","options":{"x":true}})", "{\"command\":\"a\"} x"}) {
    const Result<Request> decoded = decode_request(line);
    ASSERT_FALSE(decoded) << line;
    EXPECT_EQ(decoded.error().fault(), Fault::malformed) << line;
  }
}

TEST(Messages, RefusesWhatIsNotAReply) {
  for (const std::string_view line :
       {"{}", R"({"code":"0"})", R"({"code":1.5})", R"({"code":99999999999})",
        R"({"code":0,"info":{}})", R"({"code":0,"data":[]})"}) {
    EXPECT_FALSE(decode_reply(line)) << line;
  }
}

TEST(Messages, LimitsTheLength) {
  const std::string line = R"({"command":")" + std::string(max_request_bytes, 'a') + R"("})";
  const Result<Request> decoded = decode_request(line);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().fault(), Fault::out_of_range);
}

TEST(Messages, DeepNestingIsHarmless) {
  EXPECT_FALSE(decode_request(std::string(max_request_bytes - 1, '[')));
  const auto nested = [](std::size_t depth) {
    return R"({"code":0,"data":{"x":)" + std::string(depth, '[') + std::string(depth, ']') + "}}";
  };
  EXPECT_TRUE(decode_reply(nested(30)));
  EXPECT_FALSE(decode_reply(nested(31)));
  EXPECT_FALSE(decode_reply(nested(4'000'000)));
  // What looks like nesting inside a text is none.
  EXPECT_TRUE(decode_reply(R"({"code":0,"info":["a\\"],"data":{"x":")" + std::string(100, '[') +
                           R"(\"{{"}})"));
}

TEST(Codes, ExitCodesAreThoseOfDrbdsetup) {
  const struct {
    int code;
    int exit;
  } rows[] = {{0, 0},   {1, 0},   {4, 0},    {-1, 11},  {-2, 17},  {-4, 16},
              {-16, 5}, {-7, 11}, {102, 10}, {127, 10}, {176, 10}, {5, 20}};
  for (const auto& row : rows)
    EXPECT_EQ(exit_code(row.code), row.exit) << row.code;
}

TEST(Codes, TextsAreDrbds) {
  EXPECT_EQ(code_text(-2), "Need access to UpToDate data");
  EXPECT_EQ(code_text(127), "Device minor not allocated");
  EXPECT_EQ(code_text(500), "");
  EXPECT_EQ(code_text(-3), "");
}

}  // namespace
}  // namespace replicator::control
