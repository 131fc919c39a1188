// The session against a scripted switch that breaks the protocol.
#include "openflow/session.hpp"
#include "tests/openflow/memory_stream.hpp"
#include "tests/openflow/run.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <set>

namespace weft::openflow {
namespace {

using testing::HasSubstr;

class FakeSwitch : public testing::Test {
  protected:
    using Opened = Result<std::unique_ptr<Session>>;

    /// Answers whatever the session sent so far as the real switch did when it was captured; true for a known request.
    void answer() {
        while (at < far.from_session.size()) {
            const std::span<const std::byte> request = std::span(far.from_session).subspan(at);
            const auto type = std::to_integer<int>(request[1]);
            at += std::to_integer<std::size_t>(request[2]) << 8 | std::to_integer<std::size_t>(request[3]);
            if (muted.contains(type)) continue;
            if (type == 0) say_captured("v15_0_1", request);
            if (type == 2) say_captured("v15_3_1", request);
            if (type == 5) say_captured("v15_6_1", request);
            if (type == 18) say_captured("v15_19_13_1", request);
            if (type == 20) say_captured("v15_21_1", request);
        }
    }
    void say_captured(const std::string& name, std::span<const std::byte> request) {
        std::ifstream in(WEFT_SOURCE_DIR "/tests/fuzz/corpus/openflow/" + name, std::ios::binary);
        std::string text{std::istreambuf_iterator<char>(in), {}};
        ASSERT_GE(text.size(), 8U) << name;
        for (std::size_t i = 4; i < 8; ++i)
            text[i] = static_cast<char>(request[i]);
        far.say(std::as_bytes(std::span(text)));
    }

    Opened open(SessionOptions options = {.handshake = Milliseconds(300)}) {
        std::optional<Opened> opened;
        asio::co_spawn(io, Session::open(std::make_unique<MemoryStream>(far), options),
                       [&](std::exception_ptr, Opened value) { opened = std::move(value); });
        for (int i = 0; i < 400 && !opened; ++i) {
            run_for(io, Milliseconds(2));
            if (answering) answer();
        }
        EXPECT_TRUE(opened);
        return opened ? std::move(*opened) : fail(ErrorKind::timeout, "open() did not end");
    }
    template <class... Byte>
    void say(Byte... bytes) {
        const std::byte raw[] = {static_cast<std::byte>(bytes)...};
        far.say(raw);
    }

    asio::io_context io;
    FarEnd far{io};
    std::size_t at = 0;
    bool answering = true;
    std::set<int> muted;
};

TEST_F(FakeSwitch, AProperOneIsOpened) {
    const auto session = open();
    ASSERT_TRUE(session) << session.error().text;
    EXPECT_EQ((*session)->version(), Version::v15);
}

TEST_F(FakeSwitch, OneByteAtATimeIsOpenedToo) {
    far.at_once = 1;
    EXPECT_TRUE(open({}));
}

TEST_F(FakeSwitch, AcceptThenCloseIsAnIoError) {
    far.hang_up();
    const auto session = open();
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().kind, ErrorKind::io);
}

TEST_F(FakeSwitch, SilenceIsATimeout) {
    answering = false;
    const auto session = open();
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().kind, ErrorKind::timeout);
    EXPECT_THAT(session.error().text, HasSubstr("handshake"));
}

TEST_F(FakeSwitch, SilenceAfterHelloIsATimeout) {
    muted = {5};
    const auto session = open();
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().kind, ErrorKind::timeout);
}

TEST_F(FakeSwitch, AHelloShorterThanAHeaderIsAProtocolError) {
    say(6, 0, 0, 4, 0, 0, 0, 1);
    const auto session = open();
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().kind, ErrorKind::protocol);
}

TEST_F(FakeSwitch, AnotherVersionIsToldSo) {
    say(4, 0, 0, 8, 0, 0, 0, 1); // 1.3 and no bitmap: up to 1.3
    const auto session = open();
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().kind, ErrorKind::protocol);
    EXPECT_THAT(session.error().text, HasSubstr("neither OpenFlow 1.5 nor 1.4"));
    ASSERT_GE(far.from_session.size(), 24U);
    EXPECT_EQ(std::to_integer<int>(far.from_session[17]), 1); // after our HELLO: ERROR
}

TEST_F(FakeSwitch, GarbageIsAProtocolError) {
    say(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc); // a TLS client hello
    for (int i = 0; i < 600; ++i)
        say(0x55);
    const auto session = open();
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().kind, ErrorKind::protocol);
}

TEST_F(FakeSwitch, MalformedBytesEndAnOpenSession) {
    const auto session = open();
    ASSERT_TRUE(session);
    say(6, 99, 0, 8, 0, 0, 0, 1);
    EXPECT_EQ(run(io, (*session)->closed()).kind, ErrorKind::protocol);
}

TEST_F(FakeSwitch, WithoutEchoRepliesItIsDeadAtTheDeadline) {
    muted = {2};
    const auto session = open({.handshake = Milliseconds(300), .idle = Milliseconds(100), .dead = Milliseconds(100)});
    ASSERT_TRUE(session);
    const auto start = SteadyClock::now();
    const Error error = run(io, (*session)->closed());
    EXPECT_EQ(error.kind, ErrorKind::timeout);
    EXPECT_GE(SteadyClock::now() - start, Milliseconds(100));
    EXPECT_LE(SteadyClock::now() - start, Milliseconds(1000));
}

TEST_F(FakeSwitch, ARequestWithoutAnAnswerEndsTheSession) {
    const auto session = open({.handshake = Milliseconds(300), .reply = Milliseconds(100)});
    ASSERT_TRUE(session);
    const auto dump = run(io, (*session)->dump());
    ASSERT_FALSE(dump);
    EXPECT_EQ(dump.error().kind, ErrorKind::timeout);
    EXPECT_TRUE((*session)->ended());
}

// Echoes would keep it alive for ever, and nobody asks again.
TEST_F(FakeSwitch, AnAnswerOfAnotherKindEndsTheSession) {
    const auto session = open();
    ASSERT_TRUE(session);
    std::optional<Result<Dump>> dump;
    asio::co_spawn(io, (*session)->dump(), [&](std::exception_ptr, Result<Dump> value) { dump = std::move(value); });
    run_for(io, Milliseconds(20));
    say_captured("v15_21_1", std::span(far.from_session).subspan(at));
    run_for(io, Milliseconds(20));
    ASSERT_TRUE(dump);
    EXPECT_EQ(dump->error().kind, ErrorKind::protocol);
    EXPECT_TRUE((*session)->ended());
}

TEST_F(FakeSwitch, DestroyingASessionEndsItsOperations) {
    auto session = open();
    ASSERT_TRUE(session);
    std::optional<Result<Dump>> dump;
    asio::co_spawn(io, (*session)->dump(), [&](std::exception_ptr, Result<Dump> value) { dump = std::move(value); });
    run_for(io, Milliseconds(20));
    session->reset();
    run_for(io, Milliseconds(20));
    ASSERT_TRUE(dump);
    EXPECT_EQ(dump->error().kind, ErrorKind::io);
}

TEST_F(FakeSwitch, ItsOwnEchoRequestsAreAnswered) {
    const auto session = open();
    ASSERT_TRUE(session);
    at = far.from_session.size();
    say(6, 2, 0, 11, 1, 2, 3, 4, 'a', 'b', 'c');
    run_for(io, Milliseconds(20));
    const std::vector<std::byte> reply(far.from_session.begin() + static_cast<long>(at), far.from_session.end());
    ASSERT_EQ(reply.size(), 11U);
    EXPECT_EQ(std::to_integer<int>(reply[1]), 3);
    EXPECT_EQ(std::to_integer<int>(reply[4]), 1);
    EXPECT_EQ(std::to_integer<char>(reply[10]), 'c');
}

// It is alive by what it sends, and everybody who waits for room would wait for ever.
TEST_F(FakeSwitch, OneThatDoesNotReadIsEndedAtTheDeadline) {
    const auto session = open({.handshake = Milliseconds(300), .idle = Milliseconds(20), .reply = Milliseconds(100)});
    ASSERT_TRUE(session);
    run_for(io, Milliseconds(60)); // silent, and asked for it
    far.reads = false;
    for (int i = 0; i < 100 && !(*session)->ended(); ++i) {
        say(6, 2, 0, 8, 0, 0, 0, 1);
        run_for(io, Milliseconds(10));
    }
    ASSERT_TRUE((*session)->ended());
    EXPECT_THAT(run(io, (*session)->closed()).text, HasSubstr("has not read"));
}

TEST_F(FakeSwitch, EchoRepliesThatItDoesNotReadAreNotPiledUp) {
    const auto session = open({.handshake = Milliseconds(300), .high_water = 1024});
    ASSERT_TRUE(session);
    far.reads = false;
    for (int i = 0; i < 4 * 1024 / 8 + 1; ++i)
        say(6, 2, 0, 8, 0, 0, 0, 1);
    run_for(io, Milliseconds(50));
    ASSERT_TRUE((*session)->ended());
    EXPECT_EQ(run(io, (*session)->closed()).kind, ErrorKind::protocol);
}

} // namespace
} // namespace weft::openflow
