// Wall-clock time as the API, the events and the state write it: UTC, ISO 8601, milliseconds.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace weft::controller {

using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

Timestamp now();

/// "2024-05-01T12:00:00.123Z"
std::string iso8601(Timestamp time);

/// That form and no other.
std::optional<Timestamp> parse_iso8601(std::string_view text);

} // namespace weft::controller
