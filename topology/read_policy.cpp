#include "topology/objects.hpp"

namespace weft::topology {
namespace {

void read_rule(TableReader& reader, SecurityGroup& group) {
    SecurityRule rule{.origin = reader.origin()};
    reader.require("direction");
    reader.text("direction", kDirection, rule.direction);
    reader.text("protocol", kProtocol, rule.protocol);
    reader.text("family", kFamily, rule.family);
    reader.texts("ports", kPorts, rule.ports);
    reader.text("remote", kPrefix, rule.remote);
    reader.text("remote_group", kName, rule.remote_group);
    group.rules.push_back(std::move(rule));
}

void read_rate(TableReader& reader, std::string_view key, std::optional<Rate>& into) {
    reader.table(key, [&](TableReader& table) {
        Rate rate;
        table.require("rate");
        const bool given = table.text("rate", kRate, rate.bits_per_second);
        rate.burst_bits = rate.bits_per_second * 2 / 5; // 400 ms
        table.text("burst", kBurst, rate.burst_bits);
        if (given) into = rate;
    });
}

} // namespace

void read_security_group(TableReader& reader, Topology& topology) {
    SecurityGroup group{.origin = reader.origin()};
    reader.require("name");
    reader.text("name", kName, group.name);
    reader.tables("rules", "a rule", [&](TableReader& rule) { read_rule(rule, group); });
    if (group.name.empty()) return;
    const auto name = group.name;
    add(reader, topology.security_groups, name, std::move(group), "name", fmt::format("security group '{}'", name));
}

void read_qos(TableReader& reader, Topology& topology) {
    Qos qos{.origin = reader.origin()};
    reader.require("name");
    reader.text("name", kName, qos.name);
    read_rate(reader, "egress", qos.egress);
    read_rate(reader, "ingress", qos.ingress);
    reader.integer<std::uint8_t>("dscp", 0, 63, qos.dscp);
    reader.text("guarantee", kRate, qos.guarantee_bits_per_second);
    if (qos.name.empty()) return;
    const auto name = qos.name;
    add(reader, topology.qos, name, std::move(qos), "name", fmt::format("qos '{}'", name));
}

} // namespace weft::topology
