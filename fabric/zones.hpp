// World's security groups and zones: what the topology says of groups, who is in them, what of it concerns a host.
#pragma once
#include "fabric/world.hpp"

namespace weft::fabric {

/// The groups of a topology. Those equal to `previous`'s are shared with it.
std::map<std::string, GroupPtr> groups_of(const topology::Topology& topology,
                                          const std::map<std::string, GroupPtr>& previous);

/// The members of all groups that a rule names, by zone. Zones none of whose networks changed since `previous`, which
/// may be null, are taken from there.
Memberships memberships_of(const World& world, const WorldPtr& previous);

/// The prefixes that cover exactly what `prefixes` cover, fewest first by joining halves. Sorted.
std::vector<Prefix> joined(std::vector<Prefix> prefixes);

/// Fills in the view's zones and groups; all else of it is there already. Parts equal to `previous`'s, which may be
/// null, are shared with it.
void add_policies(HostView& view, const World& world, const HostPtr& previous);

} // namespace weft::fabric
