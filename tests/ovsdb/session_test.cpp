// The session against a scripted peer: what a broken, silent or hostile ovsdb-server does ends the session, with the
// reason, within its deadlines.
#include "ovsdb/session.hpp"

#include "run.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <unistd.h>

namespace weft::ovsdb {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::run;
using testing::HasSubstr;

std::string schema_reply() {
    std::ifstream file("/usr/share/openvswitch/vswitch.ovsschema");
    return R"({"id":1,"error":null,"result":)" + std::string(std::istreambuf_iterator<char>(file), {}) + "}";
}

const std::string kSnapshot = R"({"id":2,"error":null,"result":{"Open_vSwitch":{"00000000-0000-0000-0000-000000000001":
    {"initial":{"next_cfg":4,"cur_cfg":4}}}}})";

std::string update(const std::string& tables) {
    return R"({"id":null,"method":"update2","params":["weft",)" + tables + "]}";
}

/// A peer whose words the test writes.
class Scripted : public testing::Test {
  protected:
    Scripted() {
        path_ = "/tmp/weft-session-" + std::to_string(::getpid());
        listener_ = std::move(*listen(io_, {Endpoint::Transport::unix_socket, path_, 0}, nullptr));
    }
    ~Scripted() override {
        session_.reset();
        peer_.reset();
        listener_.reset();
        io_.restart();
        io_.run_for(100ms); // the coroutines end
    }

    /// Both ends connected; the session's goes to open().
    std::unique_ptr<Stream> connected() {
        auto stream = run(io_, connect({Endpoint::Transport::unix_socket, path_, 0}, nullptr, 1s));
        peer_ = std::move(*run(io_, listener_->accept()));
        return std::move(*stream);
    }

    void say(const std::string& text) {
        const auto sent = run(io_, peer_->write(std::as_bytes(std::span(text))));
        EXPECT_TRUE(sent);
    }

    std::string hear() {
        std::array<std::byte, 65536> buffer{};
        const auto count = run(io_, peer_->read_some(buffer));
        return count ? std::string(reinterpret_cast<const char*>(buffer.data()), *count) : std::string();
    }

    /// The outcome of open() against these words, all said at once.
    Result<Session> open(const std::string& words) {
        auto stream = connected();
        say(words);
        return run(io_, Session::open(std::move(stream), options_));
    }

    void open_well() {
        // The replies must come after their requests.
        auto stream = connected();
        std::optional<Result<Session>> opened;
        asio::co_spawn(io_, test::store(Session::open(std::move(stream), options_), opened), asio::detached);
        EXPECT_THAT(hear(), HasSubstr(R"("method":"get_schema")"));
        say(schema_reply());
        EXPECT_THAT(hear(), HasSubstr(R"("method":"monitor_cond")"));
        say(kSnapshot);
        ASSERT_TRUE(eventually(io_, [&] { return opened.has_value(); }));
        ASSERT_TRUE(*opened) << opened->error().text;
        session_.emplace(std::move(**opened));
    }

    Error end_after(const std::string& words) {
        open_well();
        if (!session_) return {};
        say(words);
        return run(io_, session_->closed());
    }

    asio::io_context io_;
    std::string path_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<Stream> peer_;
    SessionOptions options_;
    std::optional<Session> session_;
};

TEST_F(Scripted, OpensWithASnapshotAndFollowsUpdates) {
    open_well();
    ASSERT_TRUE(session_);
    ASSERT_TRUE(session_->replica().open_vswitch());
    EXPECT_EQ(session_->replica().open_vswitch()->next_cfg, 4);
    run(io_, session_->changed().wait(0ms));
    say(update(R"({"Bridge":{"00000000-0000-0000-0000-000000000002":{"insert":{"name":"b"}}}})"));
    EXPECT_TRUE(run(io_, session_->changed().wait(5s)));
    EXPECT_TRUE(session_->replica().named<Bridge>("b"));
    EXPECT_EQ(session_->counters().updates, 1U);
}

TEST_F(Scripted, AppliesUpdatesThatArriveWithTheSnapshot) {
    auto stream = connected();
    std::optional<Result<Session>> opened;
    asio::co_spawn(io_, test::store(Session::open(std::move(stream), options_), opened), asio::detached);
    hear();
    say(schema_reply());
    hear();
    say(kSnapshot + update(R"({"Bridge":{"00000000-0000-0000-0000-000000000002":{"insert":{"name":"b"}}}})"));
    ASSERT_TRUE(eventually(io_, [&] { return opened.has_value(); }));
    ASSERT_TRUE(*opened) << opened->error().text;
    EXPECT_TRUE((*opened)->replica().open_vswitch());
    EXPECT_TRUE((*opened)->replica().named<Bridge>("b"));
}

TEST_F(Scripted, WillNotOpenOnOtherDatabases) {
    auto stream = connected();
    std::optional<Result<Session>> opened;
    asio::co_spawn(io_, test::store(Session::open(std::move(stream), options_), opened), asio::detached);
    hear();
    say(R"({"id":1,"result":null,"error":{"error":"unknown database","details":"get_schema request specifies unknown database Open_vSwitch"}})");
    ASSERT_TRUE(eventually(io_, [&] { return opened.has_value(); }));
    ASSERT_FALSE(*opened);
    EXPECT_EQ(opened->error().kind, ErrorKind::refused);
    EXPECT_THAT(opened->error().text, HasSubstr("unknown database"));
}

TEST_F(Scripted, GivesUpOnAPeerThatSaysNothing) {
    options_.open_timeout = 100ms;
    const auto opened = open("");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::timeout);
}

TEST_F(Scripted, EndsOnWhatIsNotTheProtocol) {
    for (const std::string words :
         {"x", "[]", "{]", R"({"id":9,"result":{},"error":null})", R"({"id":"x","result":{},"error":null})",
          R"({"id":null,"method":"update2","params":["other",{}]})", R"({"id":null,"method":"update2","params":[]})",
          R"({"id":null,"method":"monitor_canceled","params":["weft"]})",
          R"({"id":1,"method":"format_disk","params":[]})", R"({"id":2,"result":{},"error":null})", R"({"hello":1})"}) {
        const auto error = end_after(words);
        EXPECT_EQ(error.kind, ErrorKind::protocol) << words << ": " << error.text;
        session_.reset();
    }
    const auto error = end_after(update(R"({"Bridge":{"00000000-0000-0000-0000-000000000002":{"modify":{}}}})"));
    EXPECT_EQ(error.kind, ErrorKind::protocol);
    EXPECT_THAT(error.text, HasSubstr("Bridge"));
}

TEST_F(Scripted, AnswersEchoRequests) {
    open_well();
    ASSERT_TRUE(session_);
    say(R"({"id":"e1","method":"echo","params":["a",1]})");
    EXPECT_EQ(boost::json::parse(hear()), boost::json::parse(R"({"id":"e1","error":null,"result":["a",1]})"));
}

TEST_F(Scripted, ProbesASilentPeerAndEndsWhenItStaysSilent) {
    options_.probe_after = 50ms;
    options_.probe_timeout = 100ms;
    open_well();
    ASSERT_TRUE(session_);
    EXPECT_THAT(hear(), HasSubstr(R"("method":"echo")"));
    say(R"({"id":"echo","result":[],"error":null})");
    EXPECT_THAT(hear(), HasSubstr(R"("method":"echo")"));
    const auto error = run(io_, session_->closed());
    EXPECT_EQ(error.kind, ErrorKind::timeout);
}

TEST_F(Scripted, EndsWhenThePeerCloses) {
    open_well();
    ASSERT_TRUE(session_);
    peer_->close();
    EXPECT_EQ(run(io_, session_->closed()).kind, ErrorKind::io);
    EXPECT_TRUE(session_->ended());
    const auto applied = run(io_, session_->transact({{R"({"op":"comment","comment":"x"})"}, {}, false}));
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().kind, ErrorKind::io);
}

TEST_F(Scripted, ATransactionWithoutAnAnswerEndsTheSession) {
    options_.request_timeout = 100ms;
    open_well();
    ASSERT_TRUE(session_);
    const auto applied = run(io_, session_->transact({{R"({"op":"comment","comment":"x"})"}, {}, false}));
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().kind, ErrorKind::timeout);
    EXPECT_TRUE(session_->ended());
}

TEST_F(Scripted, ReadsEveryResultOfATransaction) {
    open_well();
    ASSERT_TRUE(session_);
    const Transaction transaction{
        {R"({"op":"comment","comment":"x"})", R"({"op":"comment","comment":"y"})"}, {}, false};
    const auto outcome = [&](const std::string& result, int id) {
        std::optional<Result<Applied>> applied;
        asio::co_spawn(io_, test::store(session_->transact(transaction), applied), asio::detached);
        hear();
        say(R"({"id":)" + std::to_string(id) + R"(,"error":null,"result":)" + result + "}");
        eventually(io_, [&] { return applied.has_value(); });
        return *applied;
    };
    EXPECT_TRUE(outcome("[{},{}]", 3));
    const auto first = outcome(R"([{"error":"x","details":"why"},null])", 4);
    EXPECT_EQ(first.error(), (Error{ErrorKind::refused, "operation 1: x: why"}));
    const auto commit = outcome(R"([{},{},{"error":"referential integrity violation","details":"why"}])", 5);
    EXPECT_EQ(commit.error(), (Error{ErrorKind::refused, "commit: referential integrity violation: why"}));
    EXPECT_FALSE(session_->ended());
    EXPECT_EQ(outcome("[{},null]", 6).error().kind, ErrorKind::protocol);
    EXPECT_TRUE(session_->ended());
}

TEST_F(Scripted, MayBeDestroyedWhileItsMembersAreAwaited) {
    open_well();
    ASSERT_TRUE(session_);
    std::optional<Error> closed;
    std::optional<Result<void>> configured;
    std::optional<Result<Applied>> applied;
    asio::co_spawn(io_, test::store(session_->closed(), closed), asio::detached);
    asio::co_spawn(io_, test::store(session_->wait_configured(99, 10s), configured), asio::detached);
    asio::co_spawn(io_, test::store(session_->transact({{R"({"op":"comment","comment":"x"})"}, {}, false}), applied),
                   asio::detached);
    hear();
    session_.reset();
    EXPECT_TRUE(eventually(io_, [&] { return closed && configured && applied; }, 1s));
    EXPECT_FALSE(*configured);
    EXPECT_FALSE(*applied);
}

TEST_F(Scripted, MayBeLeftBehindByItsContext) {
    asio::io_context io;
    std::optional<Result<Session>> opened;
    auto stream = run(io, connect({Endpoint::Transport::unix_socket, path_, 0}, nullptr, 1s));
    asio::co_spawn(io, test::store(Session::open(std::move(*stream), options_), opened), asio::detached);
    io.restart();
    io.run_for(50ms);
    EXPECT_FALSE(opened);
}

TEST_F(Scripted, WaitsForTheConfigurationAndNoLonger) {
    open_well();
    ASSERT_TRUE(session_);
    EXPECT_TRUE(run(io_, session_->wait_configured(4, 0ms)));
    std::optional<Result<void>> configured;
    asio::co_spawn(io_, test::store(session_->wait_configured(5, 10s), configured), asio::detached);
    say(update(R"({"Open_vSwitch":{"00000000-0000-0000-0000-000000000001":{"modify":{"cur_cfg":5}}}})"));
    ASSERT_TRUE(eventually(io_, [&] { return configured.has_value(); }));
    EXPECT_TRUE(*configured);
    const auto late = run(io_, session_->wait_configured(6, 50ms));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::timeout);
    EXPECT_FALSE(session_->ended());
}

} // namespace
} // namespace weft::ovsdb
