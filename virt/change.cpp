#include "virt/change.hpp"

#include "virt/read.hpp"

#include <fmt/format.h>

namespace weft::virt {
namespace {

Result<NetworkHandle> network_called(virConnectPtr connection, const std::string& name) {
    NetworkHandle network(virNetworkLookupByName(connection, name.c_str()));
    if (!network) return std::unexpected(call_error(connection, fmt::format("find network {}", name)));
    return network;
}

Error not_ours(const std::string& name) {
    return {ErrorKind::refused,
            fmt::format("the libvirt network {0} is not weft's: rename it, or remove it by `virsh net-destroy {0}` and "
                        "`virsh net-undefine {0}`",
                        name)};
}

/// Brings the portgroups of an active network up to date: NICs that are plugged in keep what they have. What else
/// differs needs the network started anew, and libvirt then loses its account of the NICs on it: not done by itself.
Result<std::string> update_live(virConnectPtr connection, const NetworkHandle& network, const NetworkDefinition& live,
                                const NetworkDefinition& wanted) {
    const auto update = [&](virNetworkUpdateCommand command, const std::string& name,
                            const Portgroup& portgroup) -> Result<void> {
        const auto xml = render_portgroup(name, portgroup);
        if (virNetworkUpdate(network.get(), command, VIR_NETWORK_SECTION_PORTGROUP, -1, xml.c_str(),
                             VIR_NETWORK_UPDATE_AFFECT_LIVE) != 0)
            return std::unexpected(
                call_error(connection, fmt::format("change portgroup {} of network {}", name, wanted.name)));
        return {};
    };
    // What goes first makes room: of two default portgroups libvirt refuses the second.
    for (const auto& [name, portgroup] : live.portgroups) {
        if (wanted.portgroups.contains(name)) continue;
        if (auto done = update(VIR_NETWORK_UPDATE_COMMAND_DELETE, name, portgroup); !done)
            return std::unexpected(done.error());
    }
    for (const bool is_default : {false, true}) {
        for (const auto& [name, portgroup] : wanted.portgroups) {
            if (portgroup.is_default != is_default) continue;
            const auto had = live.portgroups.find(name);
            if (had != live.portgroups.end() && had->second == portgroup) continue;
            if (auto done = update(had == live.portgroups.end() ? VIR_NETWORK_UPDATE_COMMAND_ADD_LAST
                                                                : VIR_NETWORK_UPDATE_COMMAND_MODIFY,
                                   name, portgroup);
                !done)
                return std::unexpected(done.error());
        }
    }
    auto brought = live;
    brought.portgroups = wanted.portgroups;
    if (!same(brought, wanted))
        return fail(ErrorKind::refused,
                    fmt::format("the libvirt network {0} is active as it was before: `virsh net-destroy {0}` and "
                                "`virsh net-start {0}` bring in its new definition",
                                wanted.name));
    return {};
}

} // namespace

Result<std::string> define_network(virConnectPtr connection, const std::string& xml) {
    auto wanted = parse_network(xml);
    if (!wanted || !wanted->mark || wanted->name.empty())
        return fail(ErrorKind::invalid, "this is not the XML of a network of weft's");
    const auto& name = wanted->name;
    const auto existing = read_network(connection, name);
    if (!existing) return std::unexpected(existing.error());
    const Network* have = existing->has_value() ? &**existing : nullptr;
    if (have && (!have->live.mark || !have->configured.mark)) return std::unexpected(not_ours(name));
    if (have) wanted->uuid = have->configured.uuid; // libvirt takes another for another network of the same name

    NetworkHandle network;
    if (have && same(have->configured, *wanted)) {
        auto found = network_called(connection, name);
        if (!found) return std::unexpected(found.error());
        network = std::move(*found);
    } else {
        network.reset(virNetworkDefineXML(connection, render(*wanted).c_str()));
        if (!network) return std::unexpected(call_error(connection, fmt::format("define network {}", name)));
    }
    if (!(have && have->autostart) && virNetworkSetAutostart(network.get(), 1) != 0)
        return std::unexpected(call_error(connection, fmt::format("let network {} start by itself", name)));
    if (have && have->active) return update_live(connection, network, have->live, *wanted);
    if (virNetworkCreate(network.get()) != 0)
        return std::unexpected(call_error(connection, fmt::format("start network {}", name)));
    return {};
}

Result<std::string> remove_network(virConnectPtr connection, const std::string& name) {
    const auto existing = read_network(connection, name);
    if (!existing) return std::unexpected(existing.error());
    if (!*existing) return {};
    if (!(*existing)->configured.mark) return std::unexpected(not_ours(name));
    auto network = network_called(connection, name);
    if (!network) return std::unexpected(network.error());
    const bool persistent = virNetworkIsPersistent(network->get()) == 1;
    if ((*existing)->active && virNetworkDestroy(network->get()) != 0)
        return std::unexpected(call_error(connection, fmt::format("stop network {}", name)));
    if (persistent && virNetworkUndefine(network->get()) != 0)
        return std::unexpected(call_error(connection, fmt::format("undefine network {}", name)));
    return {};
}

Result<std::string> network_xml(virConnectPtr connection, const std::string& name) {
    auto network = network_called(connection, name);
    if (!network) return std::unexpected(network.error());
    auto xml = taken(virNetworkGetXMLDesc(network->get(), 0));
    if (xml.empty()) return std::unexpected(call_error(connection, fmt::format("read network {}", name)));
    return xml;
}

} // namespace weft::virt
