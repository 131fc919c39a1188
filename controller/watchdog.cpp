#include "controller/watchdog.hpp"

#include <systemd/sd-daemon.h>

namespace weft::controller {

std::optional<std::chrono::microseconds> watchdog_interval() {
    std::uint64_t patience = 0; // microseconds
    if (sd_watchdog_enabled(0, &patience) <= 0) return std::nullopt;
    return std::chrono::microseconds(patience / 2);
}

Task<void> feed_watchdog(std::chrono::microseconds interval) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (;;) {
        sd_notify(0, "WATCHDOG=1");
        timer.expires_after(interval);
        if (const auto [ec] = co_await timer.async_wait(kResult); ec) co_return;
    }
}

} // namespace weft::controller
