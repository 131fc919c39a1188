#include "controller/supervisor.hpp"

#include "tests/controller/temporary_directory.hpp"

#include <array>
#include <gtest/gtest.h>

namespace weft::controller {
namespace {

/// A daemon without a topology, and peers that dial in.
class SupervisorTest : public testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(supervisor_.start()); }
    void TearDown() override {
        supervisor_.stop();
        io_.run();
    }
    /// Connects, says `bytes` and waits to be hung up on.
    void dial_in(std::string_view bytes) {
        asio::co_spawn(
            io_,
            [](Endpoint endpoint, std::string_view text) -> Task<void> {
                auto stream = co_await connect(endpoint, nullptr, Milliseconds(1000));
                if (!stream || !co_await (*stream)->write(std::as_bytes(std::span(text)))) co_return;
                std::array<std::byte, 64> answer;
                while (co_await (*stream)->read_some(answer)) {
                }
            }(supervisor_.openflow_endpoint(), bytes),
            asio::detached);
        io_.restart();
        io_.run_for(Milliseconds(50));
    }
    std::size_t refusals() const {
        std::size_t count = 0;
        for (const auto& event : events_.since(0))
            count += event.kind == "refused_connection" ? 1 : 0;
        return count;
    }

  private:
    test::TemporaryDirectory directory_;
    asio::io_context io_;
    Log log_{LogLevel::error, [](std::string_view) {}};
    EventLog events_{io_.get_executor(), {}, log_};
    std::unique_ptr<FileStore> store_ = std::move(*FileStore::open(directory_.path()));
    Supervisor supervisor_{io_, {.openflow = {Endpoint::Transport::tcp, "127.0.0.1", 0}}, *store_, log_, events_};
};

// It dials in every second.
TEST_F(SupervisorTest, AFailedHandshakeIsToldOnceUntilItFailsForAnotherReason) {
    constexpr std::string_view kTooShort("\6\0\0\4\0\0\0\1", 8);
    constexpr std::string_view kTooOld("\4\0\0\10\0\0\0\1", 8); // OpenFlow 1.3
    dial_in(kTooShort);
    EXPECT_EQ(refusals(), 1U);
    dial_in(kTooShort);
    EXPECT_EQ(refusals(), 1U);
    dial_in(kTooOld);
    EXPECT_EQ(refusals(), 2U);
}

} // namespace
} // namespace weft::controller
