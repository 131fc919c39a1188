// Crash tests: the environment's WEFT_FAILPOINT=name or name:N ends the process, as kill -9 would, when it comes to
// failpoint("name") for the first or the Nth time. With the variable unset a failpoint costs one test of a bool.
#pragma once
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unistd.h>

namespace weft::controller {
namespace failpoints {

struct Armed {
    std::string name;
    unsigned hits_left = 0; ///< 0: disarmed
};

/// "name" or "name:N", N from 1; empty disarms.
inline Armed parse(std::string_view spec) {
    Armed armed{std::string(spec), spec.empty() ? 0U : 1U};
    if (const auto colon = spec.rfind(':'); colon != std::string_view::npos) {
        armed.name = spec.substr(0, colon);
        std::from_chars(spec.data() + colon + 1, spec.data() + spec.size(), armed.hits_left);
    }
    return armed;
}

inline Armed armed = [] {
    const char* spec = std::getenv("WEFT_FAILPOINT");
    return parse(spec == nullptr ? "" : spec);
}();

/// As if the environment had said so; for the child of a test's fork().
inline void arm(std::string_view spec) {
    armed = parse(spec);
}

inline void hit(std::string_view name) {
    // _exit: no destructor and no buffer may do what a killed process could not.
    if (name == armed.name && --armed.hits_left == 0) ::_exit(137);
}

} // namespace failpoints

/// A point at which a crash test may kill the daemon. Names are "room.what_was_just_done".
inline void failpoint(std::string_view name) {
    if (failpoints::armed.hits_left != 0) [[unlikely]]
        failpoints::hit(name);
}

} // namespace weft::controller
