// What a command sees of the world besides the daemon: where it prints, its variables, and time. Tests replace it.
#pragma once
#include <chrono>
#include <functional>
#include <iosfwd>
#include <map>
#include <string>

namespace weft::cli {

struct Environment {
    std::ostream& out;
    std::ostream& err;
    std::map<std::string, std::string> variables; ///< those weftctl reads: WEFT_API, NO_COLOR, LIBVIRT_DEFAULT_URI
    bool terminal = false;                        ///< `out` is one
    /// Waits; false ends what would go on for ever (--watch, --follow).
    std::function<bool(std::chrono::milliseconds)> pause;
};

/// The exit codes of every command (docs/api.md has nothing to say about them: they are weftctl's own).
enum Exit : int {
    kDone = 0,
    kError = 1,
    kNo = 2, ///< the answer is "no": changes pending, not converged, a host unreachable or refused
};

} // namespace weft::cli
