// When a lab is ready: weftd knows every port where the lab plugged it in, then says that every host is synced, then
// every endpoint has what it is to lease, and every VM's agent answers. The order matters: a host that is synced before
// weftd has seen a port is synced without it, and an endpoint of a host that is not synced gets no answer.
#pragma once
#include "base/result.hpp"
#include "lab/plan.hpp"

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weft::lab {

/// Pure: the lab's ports that `weftctl ports -o json` does not show as up on their host.
Result<std::vector<std::string>> ports_missing(const LabPlan& plan, const std::string& ports_json);

/// What the kernel of an endpoint's namespace has.
struct Held {
    std::set<std::pair<std::string, Ip>> addresses;  ///< device, address
    std::set<std::pair<std::string, Prefix>> routes; ///< device, network; a default route is 0.0.0.0/0 or ::/0
    bool operator==(const Held&) const = default;
};

/// The routes of /proc/net/route and /proc/net/ipv6_route: addresses are left out.
Held parse_routes(const std::string& route, const std::string& ipv6_route);
/// Pure: of what is not fixed, what `held` lacks: "eth0 10.0.1.11", "eth0 route 0.0.0.0/0".
std::vector<std::string> not_leased(const EndpointPlan& endpoint, const Held& held);

/// Without a controller there is nothing to wait for but the VMs.
Result<void> converge(const LabPlan& plan, bool controller, std::chrono::seconds timeout);

} // namespace weft::lab
