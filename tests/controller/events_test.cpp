#include "controller/events.hpp"

#include "tests/controller/temporary_directory.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <regex>
#include <set>
#include <sstream>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;
using test::TemporaryDirectory;

struct Recorder {
    std::vector<std::string> lines;
    Log log{LogLevel::debug, [this](std::string_view line) { lines.emplace_back(line); }};
};

std::vector<std::string> texts(const std::vector<Event>& events) {
    std::vector<std::string> texts;
    for (const auto& event : events)
        texts.push_back(event.text);
    return texts;
}

using Texts = std::vector<std::string>;

TEST(Iso8601, WritesAndReadsMilliseconds) {
    const Timestamp time(1'714'564'800'007ms);
    EXPECT_EQ(iso8601(time), "2024-05-01T12:00:00.007Z");
    EXPECT_EQ(parse_iso8601("2024-05-01T12:00:00.007Z"), time);
    EXPECT_FALSE(parse_iso8601("2024-05-01T12:00:00Z"));
    EXPECT_FALSE(parse_iso8601("2024-02-30T12:00:00.000Z"));
    EXPECT_FALSE(parse_iso8601("2024-05-01T25:00:00.000Z"));
}

TEST(EventKinds, AreThoseOfTheDocuments) {
    std::ostringstream text;
    text << std::ifstream(WEFT_SOURCE_DIR "/docs/operations.md").rdbuf();
    const auto all = text.str();
    const auto from = all.find("| kind | when |\n");
    ASSERT_NE(from, std::string::npos);
    std::istringstream rows(all.substr(from, all.find("\n\n", from) - from));
    std::set<std::string, std::less<>> documented;
    const std::regex word("`([a-z_]+)`");
    for (std::string row; std::getline(rows, row);) {
        const auto cell = row.substr(0, row.find('|', 1));
        for (std::sregex_iterator found(cell.begin(), cell.end(), word), end; found != end; ++found)
            documented.insert((*found)[1]);
    }
    EXPECT_EQ(documented, (std::set<std::string, std::less<>>(kEventKinds.begin(), kEventKinds.end())));
}

TEST(EventLog, NumbersAndKeepsTheNewest) {
    asio::io_context io;
    Recorder recorder;
    EventLog log(io.get_executor(), {.directory = {}, .capacity = 3}, recorder.log);
    EXPECT_TRUE(log.since(0).empty());
    EXPECT_EQ(log.next(), 1U);
    for (const auto* text : {"one", "two", "three", "four"})
        log.add("kind", "kvm1", "port web1", text);
    EXPECT_EQ(texts(log.since(0)), (Texts{"two", "three", "four"}));
    EXPECT_EQ(texts(log.since(4)), Texts{"four"});
    EXPECT_EQ(texts(log.since(log.next())), Texts{});
    EXPECT_EQ(texts(log.since(1000)), (Texts{"two", "three", "four"}));
}

TEST(EventLog, ReadsBackAndCountsOn) {
    const TemporaryDirectory directory;
    asio::io_context io;
    Recorder recorder;
    std::vector<Event> before;
    {
        EventLog log(io.get_executor(), {.directory = directory.path()}, recorder.log);
        log.add("host_synced", "kvm1", "", "synced at revision 1");
        log.add("port_up", "kvm1", "port web1", "line\nbreak \"quoted\" \xff\xc3\xa9");
        before = log.since(0);
    }
    EXPECT_EQ(before[1].text, "line\nbreak \"quoted\" ???");
    EventLog log(io.get_executor(), {.directory = directory.path()}, recorder.log);
    EXPECT_EQ(log.since(0), before);
    EXPECT_EQ(log.next(), 3U);
    EXPECT_TRUE(recorder.lines.empty());
}

TEST(EventLog, PassesOverDamagedLines) {
    const TemporaryDirectory directory;
    asio::io_context io;
    Recorder recorder;
    EventLog(io.get_executor(), {.directory = directory.path()}, recorder.log).add("k", "", "", "one");
    directory.write("events.jsonl",
                    directory.read("events.jsonl") + "rubbish\n{\"seq\":9}\n{\"seq\":2,\"time\":\"2024");
    {
        EventLog log(io.get_executor(), {.directory = directory.path()}, recorder.log);
        log.add("k", "", "", "two"); // begins a line of its own after the torn one
    }
    EventLog log(io.get_executor(), {.directory = directory.path()}, recorder.log);
    EXPECT_EQ(texts(log.since(0)), (Texts{"one", "two"}));
}

TEST(EventLog, RotatesAndReadsBothFiles) {
    const TemporaryDirectory directory;
    asio::io_context io;
    Recorder recorder;
    {
        EventLog log(io.get_executor(), {.directory = directory.path(), .rotate_bytes = 400}, recorder.log);
        for (int i = 1; i <= 6; ++i)
            log.add("kind", "kvm1", "", "event " + std::to_string(i));
    }
    EXPECT_TRUE(std::filesystem::exists(directory.path() / "events.1.jsonl"));
    EXPECT_LT(std::filesystem::file_size(directory.path() / "events.jsonl"), 400U);
    EventLog log(io.get_executor(), {.directory = directory.path()}, recorder.log);
    EXPECT_EQ(log.since(0).size(), 6U);
    EXPECT_EQ(log.next(), 7U);
}

TEST(EventLog, WarnsOnceWhenTheDiskRefuses) {
    asio::io_context io;
    Recorder recorder;
    const TemporaryDirectory directory;
    std::filesystem::create_directory(directory.path() / "events.jsonl"); // cannot be opened for writing
    EventLog log(io.get_executor(), {.directory = directory.path()}, recorder.log);
    log.add("k", "", "", "one");
    log.add("k", "", "", "two");
    EXPECT_EQ(recorder.lines.size(), 1U);
    EXPECT_EQ(log.since(0).size(), 2U);
    std::filesystem::remove(directory.path() / "events.jsonl");
    log.add("k", "", "", "three");
    EXPECT_NE(directory.read("events.jsonl").find("three"), std::string::npos);
}

Task<> note(EventLog& log, std::uint64_t since, SteadyClock::duration timeout, std::string& into) {
    into = co_await log.wait(since, timeout) ? "woken" : "timeout";
}

TEST(EventLog, WakesEveryWaiter) {
    asio::io_context io;
    Recorder recorder;
    EventLog log(io.get_executor(), {}, recorder.log);
    std::string first, second, late, bored;
    asio::co_spawn(io, note(log, 0, 10s, first), asio::detached);
    asio::co_spawn(io, note(log, 1, 10s, second), asio::detached);
    io.poll();
    EXPECT_EQ(first + second, "");
    log.add("k", "", "", "one");
    io.poll();
    EXPECT_EQ(first, "woken");
    EXPECT_EQ(second, "woken");
    asio::co_spawn(io, note(log, 1, 10s, late), asio::detached);
    asio::co_spawn(io, note(log, 2, 1ms, bored), asio::detached);
    io.restart();
    io.run();
    EXPECT_EQ(late, "woken");
    EXPECT_EQ(bored, "timeout");
}

TEST(EventLog, MayDieBeforeItsWaiters) {
    Recorder recorder;
    asio::io_context io;
    {
        EventLog log(io.get_executor(), {}, recorder.log);
        static std::string ignored;
        asio::co_spawn(io, note(log, 1, 10s, ignored), asio::detached);
        io.poll();
    } // the io_context goes later, and the waiter's frame with it
}

} // namespace
} // namespace weft::controller
