#include "topology/objects.hpp"

namespace weft::topology {
namespace {

void read_trunk_entry(TableReader& reader, Port& port) {
    TrunkEntry entry{.origin = reader.origin()};
    const bool network = reader.require("network");
    const bool vlan = reader.require("vlan");
    reader.text("network", kName, entry.network);
    reader.integer<std::uint16_t>("vlan", 1, 4094, entry.vlan);
    reader.text("ip", kIpv4, entry.ip);
    reader.text("ip6", kIpv6, entry.ip6);
    reader.text("mac", kMac, entry.mac);
    if (network && vlan) port.trunk.push_back(std::move(entry));
}

} // namespace

void read_port(TableReader& reader, Topology& topology) {
    Port port{.origin = reader.origin()};
    reader.require("name");
    reader.text("name", kName, port.name);
    reader.boolean("native", port.native);
    if (port.native) reader.require("network");
    reader.text("network", kName, port.network);
    reader.text("vm", kVm, port.vm);
    reader.text("mac", kMac, port.mac);
    reader.text("ip", kIpv4, port.ip);
    reader.text("ip6", kIpv6, port.ip6);
    reader.texts("security_groups", kName, port.security_groups);
    reader.text("qos", kName, port.qos);
    reader.tables("trunk", "a trunk entry", [&](TableReader& entry) { read_trunk_entry(entry, port); });
    reader.boolean("port_security", port.port_security);
    reader.texts("allowed_addresses", kPrefix, port.allowed_addresses);
    reader.text("lab_host", kName, port.lab_host);
    if (port.name.empty()) return;
    const auto name = port.name;
    add(reader, topology.ports, name, std::move(port), "name", fmt::format("port '{}'", name));
}

} // namespace weft::topology
