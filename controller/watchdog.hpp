// Watchdog: tells systemd that the loop still turns, so that a daemon whose loop stands still is ended and started
// again (sd_watchdog_enabled(3), WatchdogSec= of the unit). What tells is a timer on the very loop that does all the
// work: while anything on it computes or blocks, nothing is told. Fed by the environment that systemd gives; feeds
// NOTIFY_SOCKET.
#pragma once
#include "base/asio.hpp"

#include <chrono>
#include <optional>

namespace weft::controller {

/// How often to tell: half of what systemd waits, as it advises. Nothing: this process is not watched.
std::optional<std::chrono::microseconds> watchdog_interval();

/// Tells now and again after each `interval`, for as long as the loop runs.
Task<void> feed_watchdog(std::chrono::microseconds interval);

} // namespace weft::controller
