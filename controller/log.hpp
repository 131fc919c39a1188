// The daemon's log: one line a change of state, `level subject text`, where the subject is a host, "host/object" or
// "weftd". To stderr, with journald's priority prefix (sd-daemon(3)) when stderr is the journal.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace weft::controller {

enum class LogLevel { debug, info, warning, error };

std::string_view name_of(LogLevel level);
std::optional<LogLevel> parse_log_level(std::string_view text);

class Log {
  public:
    using Sink = std::function<void(std::string_view line)>; ///< gets whole lines with their newline

    /// To stderr; prefixes if JOURNAL_STREAM is set.
    explicit Log(LogLevel threshold = LogLevel::info);
    Log(LogLevel threshold, Sink sink, bool journal_prefixes = false);

    LogLevel threshold() const { return threshold_; }
    void set_threshold(LogLevel threshold) { threshold_ = threshold; }
    bool enabled(LogLevel level) const { return level >= threshold_; }

    /// Newlines and other control characters in `text` (it may quote a peer) become spaces: a line stays a line.
    void write(LogLevel level, std::string_view subject, std::string_view text);
    void debug(std::string_view subject, std::string_view text) { write(LogLevel::debug, subject, text); }
    void info(std::string_view subject, std::string_view text) { write(LogLevel::info, subject, text); }
    void warning(std::string_view subject, std::string_view text) { write(LogLevel::warning, subject, text); }
    void error(std::string_view subject, std::string_view text) { write(LogLevel::error, subject, text); }

  private:
    LogLevel threshold_;
    Sink sink_;
    bool journal_prefixes_;
};

} // namespace weft::controller
