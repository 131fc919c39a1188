// Framing and messages: the same values however the bytes are cut, and no bytes that do more than end the session.
#include "ovsdb/json_rpc.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace weft::ovsdb {
namespace {

namespace json = boost::json;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

const std::vector<std::string> kMessages{
    R"({"id":1,"result":[{"uuid":["uuid","00000000-0000-0000-0000-000000000001"]}],"error":null})",
    R"({"method":"echo","params":[],"id":"echo"})",
    R"({"method":"update2","params":["weft",{"Bridge":{}}],"id":null})",
    R"({"id":2,"result":{"text":"ä \" \\ \u00e4 {}"},"error":null})",
    R"({})",
};

std::string joined(std::string_view between) {
    std::string text;
    for (const auto& message : kMessages)
        (text += message) += between;
    return text;
}

std::vector<json::value> feed_cut(std::string_view text, std::size_t first, std::size_t second) {
    Framer framer;
    std::vector<json::value> all;
    for (const auto part : {text.substr(0, first), text.substr(first, second - first), text.substr(second)}) {
        auto values = framer.feed(bytes_of(part));
        EXPECT_TRUE(values) << values.error().text;
        if (!values) break;
        for (auto& value : *values)
            all.push_back(std::move(value));
    }
    return all;
}

void expect_messages(const std::vector<json::value>& values) {
    ASSERT_EQ(values.size(), kMessages.size());
    for (std::size_t i = 0; i < values.size(); ++i)
        EXPECT_EQ(values[i], json::parse(kMessages[i])) << i;
}

TEST(Framer, FindsTheSameMessagesWhereverTheBytesAreCut) {
    for (const std::string_view between : {"", "\n", " \r\n\t "}) {
        const std::string text = joined(between);
        for (std::size_t cut = 0; cut <= text.size(); ++cut) {
            expect_messages(feed_cut(text, cut, std::min(cut + 3, text.size())));
        }
    }
}

TEST(Framer, FindsThemByteByByte) {
    const std::string text = joined("");
    Framer framer;
    std::vector<json::value> all;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto values = framer.feed(bytes_of(std::string_view(text).substr(i, 1)));
        ASSERT_TRUE(values);
        for (auto& value : *values)
            all.push_back(std::move(value));
    }
    expect_messages(all);
}

TEST(Framer, SaysNothingOfATruncatedMessage) {
    const std::string& message = kMessages[0];
    for (std::size_t size = 0; size < message.size(); ++size) {
        Framer framer;
        const auto values = framer.feed(bytes_of(std::string_view(message).substr(0, size)));
        ASSERT_TRUE(values) << size;
        EXPECT_TRUE(values->empty()) << size;
    }
}

TEST(Framer, MessagesOutliveIt) {
    std::vector<json::value> values;
    {
        Framer framer;
        values = *framer.feed(bytes_of(joined("")));
    }
    expect_messages(values);
}

TEST(Framer, RefusesWhatIsNoMessageForGood) {
    for (const std::string text : {"1", "[]", "null", "\"x\"", "}", "{]", "{\"a\":}", "{\"a\" 1}", "GET / HTTP/1.1\r\n",
                                   "\xff", "{\"a\":\"\xff\"}", "\x16\x03\x01"}) {
        Framer framer;
        const auto values = framer.feed(bytes_of(text));
        ASSERT_FALSE(values) << text;
        EXPECT_EQ(values.error().kind, ErrorKind::protocol);
        EXPECT_FALSE(framer.feed(bytes_of("{}")));
    }
}

TEST(Framer, LimitsDepthAndSize) {
    const auto nested = [](std::size_t depth) {
        return R"({"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
    };
    EXPECT_TRUE(Framer().feed(bytes_of(nested(Framer::kMaxDepth - 1))));
    EXPECT_FALSE(Framer().feed(bytes_of(nested(Framer::kMaxDepth))));
    EXPECT_FALSE(Framer().feed(bytes_of(R"({"a":)" + std::string(1 << 20, '['))));

    Framer small(100);
    EXPECT_TRUE(small.feed(bytes_of(R"({"a":")" + std::string(80, 'x') + "\"}")));
    EXPECT_FALSE(small.feed(bytes_of(R"({"a":")" + std::string(100, 'x'))));
}

TEST(Message, IsARequestANotificationOrAReply) {
    const auto decode = [](std::string_view text) { return decode_message(json::parse(text)); };
    const auto request = decode(kMessages[1]);
    ASSERT_TRUE(request && std::holds_alternative<Request>(*request));
    EXPECT_EQ(std::get<Request>(*request).method, "echo");
    EXPECT_EQ(std::get<Request>(*request).id, "echo");
    const auto notification = decode(kMessages[2]);
    ASSERT_TRUE(notification && std::holds_alternative<Notification>(*notification));
    EXPECT_EQ(std::get<Notification>(*notification).params.as_array().size(), 2U);
    const auto reply = decode(kMessages[0]);
    ASSERT_TRUE(reply && std::holds_alternative<Reply>(*reply));
    EXPECT_TRUE(std::get<Reply>(*reply).error.is_null());
    for (const auto* text : {"{}", R"({"id":1})", R"({"method":1,"params":[]})", R"({"method":"echo"})",
                             R"({"method":"echo","params":{}})", R"({"result":1})", "[]", "1"}) {
        const auto message = decode(text);
        ASSERT_FALSE(message) << text;
        EXPECT_EQ(message.error().kind, ErrorKind::protocol);
    }
}

TEST(Message, EncodesWhatItDecodes) {
    const auto request = decode_message(json::parse(encode_request(7, "transact", R"(["db"])")));
    ASSERT_TRUE(request);
    EXPECT_EQ(std::get<Request>(*request).id, 7);
    const auto reply = decode_message(json::parse(encode_reply("x", json::array())));
    ASSERT_TRUE(reply);
    EXPECT_EQ(std::get<Reply>(*reply).id, "x");
}

} // namespace
} // namespace weft::ovsdb
