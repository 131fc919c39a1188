// The one table that names every stage. A stage is an OpenFlow table of the same number on the integration bridge; a
// packet visits stages in rising order. docs/pipeline.md is this table in prose.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::pipeline {

enum class Stage : std::uint8_t {
    classify = 0,
    guard = 1,
    respond = 2,
    filter_out = 3,
    nat_in = 4,
    track = 5,
    state = 6,
    egress_groups = 7,
    route = 8,
    nexthop = 9,
    switching = 10,
    filter_in = 11,
    ingress_groups = 12,
    commit = 13,
    nat_out = 14,
    output = 15,
    egress_rules = 20,  ///< beside the stages: called by egress_groups, once per group of the sender
    ingress_rules = 21, ///< called by ingress_groups
};

struct StageInfo {
    Stage stage;
    std::string_view name;
    std::string_view does;
};

inline constexpr std::array kStages{
    StageInfo{Stage::classify, "classify", "in_port and VLAN, or VXLAN sender and VNI: source port and network"},
    StageInfo{Stage::guard, "guard", "source MAC, IP, ARP and ND; no DHCP server, no RA, nothing to a VTEP"},
    StageInfo{Stage::respond, "respond", "ARP, ND and ping for known addresses answered in the switch"},
    StageInfo{Stage::filter_out, "filter_out", "the source network's ACL, egress entries"},
    StageInfo{Stage::nat_in, "nat_in", "to a public address active here: translated"},
    StageInfo{Stage::track, "track", "connection tracking in the router's zone"},
    StageInfo{Stage::state, "state", "invalid dropped; established under the policy in force passes"},
    StageInfo{Stage::egress_groups, "egress_groups", "the sender's security groups"},
    StageInfo{Stage::route, "route", "longest prefix"},
    StageInfo{Stage::nexthop, "nexthop", "MACs, TTL, MTU, next network"},
    StageInfo{Stage::switching, "switch", "network and MAC: local port, VTEP or uplink; broadcast: groups"},
    StageInfo{Stage::filter_in, "filter_in", "the destination network's ACL, ingress entries"},
    StageInfo{Stage::ingress_groups, "ingress_groups", "the receiver's security groups"},
    StageInfo{Stage::commit, "commit", "connection committed in the router's zone"},
    StageInfo{Stage::nat_out, "nat_out", "at a gateway: translated"},
    StageInfo{Stage::output, "output", "port, VLAN tag, uplink or tunnel"},
    StageInfo{Stage::egress_rules, "egress_rules", "one security group's egress rules"},
    StageInfo{Stage::ingress_rules, "ingress_rules", "one security group's ingress rules"},
};

/// The OpenFlow table of a stage.
constexpr std::uint8_t table_of(Stage stage) {
    return static_cast<std::uint8_t>(stage);
}

constexpr const StageInfo& info(Stage stage) {
    for (const auto& entry : kStages)
        if (entry.stage == stage) return entry;
    return kStages.front();
}

/// Where a packet goes on after `stage`. Only what goes to a gateway visits nat_out, and says so: all else passes it
/// by.
constexpr Stage after(Stage stage) {
    const auto next = static_cast<Stage>(table_of(stage) + 1);
    return next == Stage::nat_out ? Stage::output : next;
}

/// Null for a table that is no stage of weft's.
constexpr const StageInfo* stage_of_table(std::uint8_t table) {
    for (const auto& entry : kStages)
        if (table_of(entry.stage) == table) return &entry;
    return nullptr;
}

/// By its name in listings ("switch").
constexpr std::optional<Stage> stage_named(std::string_view name) {
    for (const auto& entry : kStages)
        if (entry.name == name) return entry.stage;
    return std::nullopt;
}

} // namespace weft::pipeline
