#include "topology/objects.hpp"

namespace weft::topology {
namespace {

void read_acl_entry(TableReader& reader, Network& network) {
    AclEntry entry{.origin = reader.origin()};
    reader.require("action");
    reader.require("direction");
    reader.text("action", kAclAction, entry.allow);
    reader.text("direction", kDirection, entry.direction);
    reader.text("protocol", kProtocol, entry.protocol);
    reader.text("family", kFamily, entry.family);
    reader.texts("ports", kPorts, entry.ports);
    reader.text("remote", kPrefix, entry.remote);
    network.acl.push_back(std::move(entry));
}

void read_dhcp(TableReader& reader, Network& network) {
    const bool serves_by_default = !network.physical() && (network.subnet || network.subnet6);
    if (const auto* node = reader.take("dhcp"); node == nullptr) {
        if (serves_by_default) network.dhcp.emplace();
        return;
    } else if (const auto* flag = node->as_boolean()) {
        if (flag->get()) {
            reader.error_at("dhcp", "'dhcp' must be false or a table, not true",
                            serves_by_default ? "leave it out: this network serves DHCP by default" : "write {}");
        }
        return;
    }
    Dhcp dhcp;
    const bool read = reader.table("dhcp", [&](TableReader& table) {
        table.text("range", kRange, dhcp.range);
        table.text("lease", kDuration, dhcp.lease);
        table.texts("dns", kIp, dhcp.dns);
        table.text("domain", kDomain, dhcp.domain);
        table.texts("ntp", kIp, dhcp.ntp);
    });
    if (read) network.dhcp = std::move(dhcp);
}

} // namespace

void read_network(TableReader& reader, Topology& topology) {
    Network network{.origin = reader.origin()};
    reader.require("name");
    reader.require("kind");
    reader.text("name", kName, network.name);
    reader.text("kind", kNetworkKind, network.kind);
    reader.integer<std::uint32_t>("vni", 1, 16'777'215, network.vni);
    reader.integer<std::uint16_t>("vlan", 1, 4094, network.vlan);
    reader.text("physnet", kName, network.physnet);
    reader.integer<std::uint16_t>("mtu", 68, 9216, network.mtu);
    reader.text("subnet", kSubnet, network.subnet);
    if (network.subnet) network.gateway = network.subnet->network().plus(1);
    reader.text("gateway", kIpv4, network.gateway);
    reader.text("subnet6", kSubnet6, network.subnet6);
    if (network.subnet6) network.gateway6 = network.subnet6->network().plus(1);
    reader.text("gateway6", kIpv6, network.gateway6);
    read_dhcp(reader, network);
    reader.texts("reserved", kRange, network.reserved);
    reader.tables("acl", "an acl entry", [&](TableReader& entry) { read_acl_entry(entry, network); });
    if (network.name.empty()) return;
    const auto name = network.name;
    add(reader, topology.networks, name, std::move(network), "name", fmt::format("network '{}'", name));
}

} // namespace weft::topology
