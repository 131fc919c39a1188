// PortProfile: what a NIC is to be beyond its network, as a name that fits into a libvirt portgroup
// (libvirt.org/formatnetwork.html, "Portgroups"): "web", "ssh+web", "@gold", "ssh+web@gold", and "-" for nothing at
// all. Pure. Names of the topology have none of "+", "@" and no "-" at their beginning, so no two profiles share a
// name.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::topology {

struct PortProfile {
    std::vector<std::string> security_groups; ///< ascending, each once
    std::string qos;                          ///< empty: none
    auto operator<=>(const PortProfile&) const = default;
};

/// The groups in any order, also twice.
PortProfile port_profile(std::vector<std::string> security_groups, std::string qos);

/// The portgroup of NICs that name none.
inline constexpr std::string_view kPlainPortgroup = "-";

std::string portgroup_name(const PortProfile& profile);
/// Nothing for what portgroup_name() never gives; whether the groups exist is not looked at.
std::optional<PortProfile> parse_portgroup(std::string_view name);

} // namespace weft::topology
