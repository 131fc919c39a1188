#include "topology/rules.hpp"

namespace weft::topology {
namespace {

/// What an ACL entry and a group's rule have in common.
template <class Rule>
void check_match(const Rule& rule, Findings& findings) {
    const auto& origin = rule.origin;
    if (rule.ports.empty() && origin.wrote("ports") && !origin.malformed("ports"))
        findings.error(origin.at("ports"), "'ports' is empty", "leave it out to mean every port");
    if (!rule.ports.empty() && !rule.protocol.has_ports() && !origin.malformed("protocol"))
        findings.error(origin.at("ports"), fmt::format("protocol {} has no ports", rule.protocol.to_string()),
                       "'ports' goes with tcp, udp or sctp");
    if (rule.remote && rule.family != Family::any && rule.remote->address.is_v6() != (rule.family == Family::ipv6))
        findings.error(origin.at("family"), fmt::format("remote {} is of another family", rule.remote->to_string()),
                       "leave 'family' out: a prefix narrows the rule to its own");
}

void check_qos(const Topology& topology, Findings& findings) {
    const Host* userspace = nullptr;
    for (const auto& [name, host] : topology.hosts) {
        if (host.datapath == Datapath::netdev && userspace == nullptr) userspace = &host;
    }
    for (const auto& [name, qos] : topology.qos) {
        if (!qos.guarantee_bits_per_second) continue;
        const auto where = qos.origin.at("guarantee");
        if (qos.egress && *qos.guarantee_bits_per_second > qos.egress->bits_per_second)
            findings.error(where, fmt::format("qos '{}' guarantees more than its egress rate", name),
                           "lower 'guarantee', or raise 'rate' of 'egress'", qos.origin.at("egress"));
        if (userspace != nullptr)
            findings.warning(where,
                             fmt::format("no guarantee on host '{}': its datapath is \"netdev\"", userspace->name),
                             "'guarantee' works on datapath \"system\" only", userspace->origin.at("datapath"));
    }
}

} // namespace

void check_policy(const Topology& topology, Findings& findings) {
    for (const auto& [name, network] : topology.networks) {
        for (const auto& entry : network.acl)
            check_match(entry, findings);
    }
    for (const auto& [name, group] : topology.security_groups) {
        for (const auto& rule : group.rules) {
            check_match(rule, findings);
            findings.find(topology.security_groups, rule.remote_group, rule.origin.at("remote_group"),
                          "security_group");
            if (rule.remote && !rule.remote_group.empty())
                findings.error(rule.origin.at("remote_group"), "'remote' and 'remote_group' in one rule",
                               "write two rules", rule.origin.at("remote"));
        }
    }
    check_qos(topology, findings);
}

} // namespace weft::topology
