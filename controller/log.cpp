#include "controller/log.hpp"

#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>

namespace weft::controller {

namespace {

constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warning", "error"};
// sd-daemon(3): SD_DEBUG, SD_INFO, SD_WARNING, SD_ERR.
constexpr std::array<std::string_view, 4> kPriorities{"<7>", "<6>", "<4>", "<3>"};

std::string one_line(std::string_view text) {
    std::string line(text);
    for (char& c : line) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    }
    return line;
}

void to_stderr(std::string_view line) {
    // One write(2) a line, so that lines of several processes on one journal never mix. What fails is lost: there is
    // nowhere left to say so.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

} // namespace

std::string_view name_of(LogLevel level) {
    return kNames[static_cast<std::size_t>(level)];
}

std::optional<LogLevel> parse_log_level(std::string_view text) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == text) return static_cast<LogLevel>(i);
    }
    return std::nullopt;
}

Log::Log(LogLevel threshold) : Log(threshold, to_stderr, std::getenv("JOURNAL_STREAM") != nullptr) {}

Log::Log(LogLevel threshold, Sink sink, bool journal_prefixes)
    : threshold_(threshold), sink_(std::move(sink)), journal_prefixes_(journal_prefixes) {}

void Log::write(LogLevel level, std::string_view subject, std::string_view text) {
    if (!enabled(level)) return;
    const auto prefix = journal_prefixes_ ? kPriorities[static_cast<std::size_t>(level)] : std::string_view{};
    sink_(fmt::format("{}{} {} {}\n", prefix, name_of(level), one_line(subject), one_line(text)));
}

} // namespace weft::controller
