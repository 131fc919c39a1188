#include "controller/watchdog.hpp"

#include "tests/controller/temporary_directory.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;

/// systemd's end: a socket that NOTIFY_SOCKET names, and a unit with WatchdogSec=.
class WatchdogTest : public testing::Test {
  protected:
    WatchdogTest() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        const std::string path = directory_.path() / "notify";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
        ::setenv("WATCHDOG_USEC", "100000", 1);
    }
    ~WatchdogTest() override {
        for (const auto* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
            ::unsetenv(name);
        ::close(socket_);
    }

    /// How many messages came since the last call, which say all the same.
    int told() {
        int count = 0;
        char text[64];
        for (ssize_t size = 0; (size = ::recv(socket_, text, sizeof text, 0)) > 0; ++count)
            EXPECT_EQ(std::string_view(text, static_cast<std::size_t>(size)), "WATCHDOG=1");
        return count;
    }

    asio::io_context io_;

  private:
    test::TemporaryDirectory directory_;
    int socket_;
};

TEST_F(WatchdogTest, IsFedAtHalfOfItsPatience) {
    ASSERT_EQ(watchdog_interval(), 50ms);
    asio::co_spawn(io_, feed_watchdog(*watchdog_interval()), asio::detached);
    io_.poll();
    EXPECT_EQ(told(), 1) << "at once";
    io_.restart();
    io_.run_for(200ms);
    EXPECT_GE(told(), 2);
}

TEST_F(WatchdogTest, IsNotFedWhileTheLoopStandsStill) {
    asio::co_spawn(io_, feed_watchdog(1ms), asio::detached);
    int told_before = 0, told_meanwhile = 0;
    asio::post(io_, [&] {
        told_before = told();
        std::this_thread::sleep_for(50ms);
        told_meanwhile = told();
    });
    io_.run_for(60ms);
    EXPECT_EQ(told_before, 1);
    EXPECT_EQ(told_meanwhile, 0);
    EXPECT_GE(told(), 1) << "afterwards";
}

TEST_F(WatchdogTest, IsOfThisProcessOnly) {
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_EQ(watchdog_interval(), std::nullopt);
    ::unsetenv("WATCHDOG_PID");
    ::unsetenv("WATCHDOG_USEC");
    EXPECT_EQ(watchdog_interval(), std::nullopt);
}

} // namespace
} // namespace weft::controller
