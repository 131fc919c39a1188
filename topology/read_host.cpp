#include "topology/objects.hpp"

namespace weft::topology {

void read_host(TableReader& reader, Topology& topology) {
    Host host{.origin = reader.origin()};
    reader.require("name");
    reader.text("name", kName, host.name);
    reader.text("ovsdb", kOvsdb, host.ovsdb);
    reader.text("vtep", kIp, host.vtep);
    reader.text("bridge", kInterface, host.bridge);
    reader.text("datapath", kDatapath, host.datapath);
    if (reader.text("libvirt", kLibvirtUri, host.libvirt) && has_password(host.libvirt))
        reader.error_at("libvirt", kPasswordInUri, kPasswordRemedy);
    reader.table("uplinks", [&](TableReader& uplinks) {
        for (const auto& physnet : uplinks.keys()) {
            std::string device;
            if (!uplinks.text(physnet, kInterface, device)) continue;
            if (form::name(physnet))
                host.uplinks.emplace(physnet, device);
            else
                uplinks.error_at(physnet, fmt::format("a physical network must be {}", kName.expected));
        }
    });
    if (host.name.empty()) return;
    if (!topology.hosts.contains(host.name)) topology.host_order.push_back(host.name);
    const auto name = host.name;
    add(reader, topology.hosts, name, std::move(host), "name", fmt::format("host '{}'", name));
}

void read_lab_endpoint(TableReader& reader, Topology& topology) {
    LabEndpoint endpoint{.origin = reader.origin()};
    reader.require("name");
    reader.require("physnet");
    reader.text("name", kName, endpoint.name);
    reader.text("physnet", kName, endpoint.physnet);
    reader.integer<std::uint16_t>("vlan", 1, 4094, endpoint.vlan);
    reader.texts("addresses", kInterfaceAddress, endpoint.addresses);
    Prefix single;
    if (reader.text("ip", kInterfaceAddress, single)) endpoint.addresses.push_back(single);
    reader.text("gateway", kIp, endpoint.gateway);
    reader.text("mac", kMac, endpoint.mac);
    read_routes(reader, endpoint.routes);
    if (endpoint.name.empty()) return;
    const auto name = endpoint.name;
    add(reader, topology.lab_endpoints, name, std::move(endpoint), "name", fmt::format("lab endpoint '{}'", name));
}

void read_lab_vm(TableReader& reader, Topology& topology) {
    LabVm vm{.origin = reader.origin()};
    for (const char* key : {"name", "host", "network"})
        reader.require(key);
    reader.text("name", kName, vm.name);
    reader.text("host", kName, vm.host);
    reader.text("network", kName, vm.network);
    reader.text("portgroup", kName, vm.portgroup);
    reader.text("mac", kMac, vm.mac);
    reader.text("memory", kMemory, vm.memory);
    if (vm.name.empty()) return;
    const auto name = vm.name;
    add(reader, topology.lab_vms, name, std::move(vm), "name", fmt::format("lab VM '{}'", name));
}

} // namespace weft::topology
