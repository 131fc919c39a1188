// Reachability: which ports can speak to which, in a world that is compiled and not installed: what a plan would take
// away or give. Each answer is a walk (fabric/walk) of a request and of its answer, as a trace makes them. Pure.
#pragma once
#include "fabric/world.hpp"
#include "topology/model.hpp"

#include <functional>
#include <string>
#include <vector>

namespace weft::fabric {

/// A port's connections to another port's own address that a change takes or gives.
struct ReachChange {
    bool gained = false; ///< else lost
    std::string from, to;
    std::string protocol;                     ///< "icmp", "tcp", "udp", "sctp"; "any": these and all their ports
    std::vector<topology::PortRange> ports{}; ///< of tcp, udp, sctp; ascending
    bool operator==(const ReachChange&) const = default;
};

struct ReachDifference {
    std::vector<ReachChange> changes; ///< by from, to
    std::size_t left_out = 0;         ///< pairs of ports beyond `limit`
};

/// Whether a port that a host's groups watch is live, in either world.
using Live = std::function<bool(const std::string& host, std::uint32_t ofport)>;

/// Between ports that are plugged in, before or after. Ports that no flow tells apart (of one network, with the same
/// groups, on hosts alike, with addresses that the same rules name) are asked once for all of them.
ReachDifference reach_difference(const World& before, const World& after, const Live& live, std::size_t limit);

} // namespace weft::fabric
