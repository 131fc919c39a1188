// Waiting for hosts: polls /v1/status until they have a revision, or will not have it soon.
#pragma once
#include "cli/commands.hpp"

#include <boost/json/value.hpp>
#include <functional>
#include <string>
#include <vector>

namespace weft::cli {

/// A host of a status that lacks `revision`.
struct Laggard {
    std::string name;
    std::string state;
    std::string reason;
    bool unable() const { return state == "down" || state == "degraded"; } ///< waiting alone will not cure it
    std::string to_string() const;                                         ///< "kvm2 (down: connection refused)"
    bool operator==(const Laggard&) const = default;
};

/// Hosts that are not synced at `revision` or a later one.
std::vector<Laggard> laggards(const boost::json::value& status, std::uint64_t revision);

/// Polls until `done` says so of a status or `timeout` has passed, and returns the last status. An error when the
/// daemon cannot be asked.
Result<boost::json::value> poll_status(Context& context, std::chrono::seconds timeout,
                                       const std::function<bool(const boost::json::value&)>& done);

} // namespace weft::cli
