// Published: what the supervisor wants every host to be. One immutable value; host agents compare it with what their
// host has acknowledged and send the difference.
#pragma once
#include "base/mailbox.hpp"
#include "controller/events.hpp"
#include "controller/log.hpp"
#include "controller/state.hpp"
#include "fabric/world.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>

namespace weft::controller {

struct Published {
    fabric::WorldPtr world;
    RevisionNumber revision = 0;
    std::uint64_t number = 0; ///< counts what was published; a daemon's own
    SteadyClock::time_point since;
};

/// What a host agent tells people through. Both outlive every agent.
struct Voice {
    Log& log;
    EventLog& events;
    bool silent = false; ///< who only imagines tells nobody

    /// A log line and an event in the same words.
    void say(LogLevel level, const std::string& kind, const std::string& host, const std::string& object,
             const std::string& text) const {
        assert(std::ranges::find(kEventKinds, kind) != kEventKinds.end());
        if (silent) return;
        const auto subject = host.empty() ? std::string("weftd") : host;
        log.write(level, object.empty() ? subject : subject + "/" + object, text);
        events.add(kind, host, object, text);
    }
};

} // namespace weft::controller
