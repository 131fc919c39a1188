// Makes and removes a lab's network namespaces, links and addresses. Touches the kernel; what to make is lab/setup's.
#pragma once
#include "base/result.hpp"
#include "lab/plan.hpp"

#include <string>
#include <vector>

namespace weft::lab {

/// Namespaces, links, addresses, routes; offloads off.
Result<void> make_network(const LabPlan& plan);

/// Those that exist; what lives in them must be gone already.
Result<void> remove_namespaces(const std::vector<std::string>& names);
bool namespace_exists(const std::string& name);
/// Every namespace of this machine, in name order.
std::vector<std::string> all_namespaces();

/// A userspace datapath gets what the sender's stack left to a NIC's hardware (checksums, segments) and drops it as
/// damaged, so every interface of the namespace does its own.
void switch_offloads_off(const std::string& netns);

/// `ip -batch` in one namespace.
Result<void> ip_batch(const std::string& netns, const std::string& lines);
/// In a host's namespace IPv6 is off for every device but those that ask for it.
Result<void> enable_ipv6(const std::string& netns, const std::string& device);
/// Cuts or heals a cable at its far end: both ends lose their carrier.
Result<void> set_link(const Link& link, bool up);

} // namespace weft::lab
