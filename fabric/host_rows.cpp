#include "fabric/host_rows.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>

namespace weft::fabric {
namespace {

std::string type_of(const topology::Host& host) {
    return host.datapath == topology::Datapath::netdev ? "netdev" : "system";
}

std::uint32_t ofport_of(const ovsdb::Interface& interface) {
    return interface.ofport && *interface.ofport > 0 ? static_cast<std::uint32_t>(*interface.ofport) : 0;
}

std::string value_of(const ovsdb::StringMap& map, std::string_view key) {
    const auto found = map.find(std::string(key));
    return found == map.end() ? std::string() : found->second;
}

/// Ports are named by the address they lead to, as far as 15 characters allow.
std::string watch_name(const Ip& vtep) {
    const auto number = vtep.is_v4() ? vtep.v4() : static_cast<std::uint32_t>(content_hash(vtep.to_string()));
    return fmt::format("weft-{}{:08x}", vtep.is_v4() ? "b" : "6", number);
}

constexpr std::uint32_t kLastOfport = 0xfeff;

constexpr std::string_view kBfdInterval = "300"; // ms; three missed are the end (ovs-vswitchd.conf.db(5), bfd)

ovsdb::DesiredPort watch_port(const topology::Host& host, const Ip& vtep, bool withdrawn) {
    ovsdb::DesiredPort port;
    port.name = watch_name(vtep);
    port.type = "vxlan";
    port.options = {{"remote_ip", vtep.to_string()}, {"key", "flow"}, {"local_ip", host.vtep->to_string()}};
    port.bfd = {{"enable", "true"}, {"min_rx", std::string(kBfdInterval)}, {"min_tx", std::string(kBfdInterval)}};
    if (withdrawn) port.bfd.emplace("cpath_down", "true");
    port.external_ids = {{std::string(ovsdb::kRoleKey), "bfd"}, {std::string(ovsdb::kPeerKey), vtep.to_string()}};
    return port;
}

/// To a port: all in one queue, at the rate at any time (min-rate), so that it spends its own burst. Behind a meter of
/// the same rate a little more, or their difference would fill the queue in time.
ovsdb::DesiredShaper shaper_of(const topology::Rate& rate, bool metered) {
    const auto bits = std::to_string(rate.bits_per_second + (metered ? rate.bits_per_second / 50 : 0));
    return {.other_config = {{"max-rate", bits}},
            .queues = {{0, {{"min-rate", bits}, {"max-rate", bits}, {"burst", std::to_string(rate.burst_bits)}}}}};
}

/// Of an uplink, at its NIC's speed: queue 0 is everybody else's.
ovsdb::DesiredShaper shares_of(const std::map<std::uint32_t, std::uint64_t>& guaranteed) {
    ovsdb::DesiredShaper shaper;
    shaper.queues.emplace(0, ovsdb::StringMap{});
    for (const auto& [queue, bits] : guaranteed)
        shaper.queues.emplace(queue, ovsdb::StringMap{{"min-rate", std::to_string(bits)}});
    return shaper;
}

void observe_watched(const ovsdb::Interface& interface, Observation& seen) {
    const auto vtep = Ip::parse(value_of(interface.external_ids, ovsdb::kPeerKey));
    if (!vtep || ofport_of(interface) == 0) return;
    seen.facts.watched.emplace(*vtep, ofport_of(interface));
    // A session that has never been up says nothing of the other end (bfd_status:flap_count).
    const bool forwards = value_of(interface.bfd_status, "forwarding") == "true";
    const auto flaps = value_of(interface.bfd_status, "flap_count");
    if (forwards || (!flaps.empty() && flaps != "0")) seen.reachable.emplace(*vtep, forwards);
}

constexpr std::string_view kLinuxBridge = "bridge"; // status:driver_name, as ethtool tells it

void observe_own(const ovsdb::Interface& interface, Observation& seen) {
    const auto role = value_of(interface.external_ids, ovsdb::kRoleKey);
    if (role == "vxlan") seen.facts.vxlan_ofport = ofport_of(interface);
    if (role == "bfd") observe_watched(interface, seen);
    const auto physnet = value_of(interface.external_ids, ovsdb::kUplinkKey);
    if (!physnet.empty() && ofport_of(interface) != 0) seen.facts.uplinks.emplace(physnet, ofport_of(interface));
    // Linux's own, that is no patch port: HTB works on it.
    if (!physnet.empty() && interface.type.empty() && !seen.facts.userspace) seen.facts.queues = true;
    if (!physnet.empty() && interface.link_state == "down") seen.dead_links.insert(physnet);
    if (!physnet.empty() && value_of(interface.status, "driver_name") == kLinuxBridge)
        seen.unfit.push_back(fmt::format("uplink {}: {} is a Linux bridge: name a NIC, or a bridge of Open vSwitch",
                                         physnet, interface.name));
    if (interface.error)
        seen.troubles.push_back(
            fmt::format("Open vSwitch could not make port {}: {}", interface.name, *interface.error));
}

constexpr std::string_view kVxlanUdpPort = "4789"; // IANA's, and the default of options:dst_port
constexpr std::string_view kAny = "flow";          // of an option: any value

/// Of the ports that fit a packet Open vSwitch takes the one whose options say most: its VNI, then where it comes from,
/// then to which address it goes (ofproto/tunnel.c, tnl_find). weft-vxlan says the last alone, of the ports with BFD
/// the peer's says the last two.
std::optional<ForeignTunnel> foreign_tunnel(const ovsdb::Interface& interface, const Ip& vtep, const HostFacts& facts) {
    if (interface.type != "vxlan" || ofport_of(interface) == 0) return std::nullopt;
    const auto option = [&](std::string_view key) { return value_of(interface.options, key); };
    if (const auto port = option("dst_port"); !port.empty() && port != kVxlanUdpPort) return std::nullopt;
    const auto local = option("local_ip");
    if (!local.empty() && local != kAny && Ip::parse(local) != vtep) return std::nullopt;
    ForeignTunnel tunnel{.interface = interface.name, .port = {}, .bridge = {}, .remote = {}, .vni = {}};
    if (const auto remote = option("remote_ip"); remote != kAny) {
        tunnel.remote = Ip::parse(remote);
        if (!tunnel.remote) return std::nullopt;
    }
    const auto key = interface.options.contains("in_key") ? option("in_key") : option("key");
    if (key != kAny) tunnel.vni = static_cast<std::uint32_t>(std::strtoul(key.c_str(), nullptr, 0));
    if (!tunnel.vni && (!tunnel.remote || facts.watched.contains(*tunnel.remote))) return std::nullopt;
    return tunnel;
}

std::vector<ForeignTunnel> foreign_tunnels(const ovsdb::Replica& replica, const Ip& vtep, const HostFacts& facts) {
    std::vector<ForeignTunnel> found;
    for (const auto& [_, bridge] : replica.rows<ovsdb::Bridge>())
        for (const auto& uuid : bridge.ports) {
            const auto* port = replica.find<ovsdb::Port>(uuid);
            if (port == nullptr) continue;
            for (const auto& member : port->interfaces) {
                const auto* interface = replica.find<ovsdb::Interface>(member);
                if (interface == nullptr || ovsdb::mark_of(interface->external_ids) != nullptr) continue;
                auto tunnel = foreign_tunnel(*interface, vtep, facts);
                if (!tunnel) continue;
                tunnel->port = port->name;
                tunnel->bridge = bridge.name;
                found.push_back(std::move(*tunnel));
            }
        }
    return found;
}

bool uses_vni(const HostView& host, std::uint32_t vni) {
    const auto has = [vni](const auto& entry) {
        return entry.second->core.kind == topology::NetworkKind::vxlan && entry.second->core.vni == vni;
    };
    return std::ranges::any_of(host.networks, has) || std::ranges::any_of(host.reached, has);
}

/// ovs-vswitchd writes the id when it has made the bridge.
std::string unmade(const ovsdb::Bridge& bridge, const topology::Host& host) {
    if (bridge.datapath_id) return {};
    return fmt::format("ovs-vswitchd has not made bridge {} (datapath {}: {})", bridge.name, type_of(host),
                       host.datapath == topology::Datapath::netdev ? "does it run?"
                                                                   : "is the kernel module openvswitch loaded?");
}

} // namespace

std::uint64_t datapath_id(const std::string& host) {
    return object_id(Kind::host, host).value;
}

ovsdb::DesiredRows desired_rows(const topology::Host& host, const RowsContext& context) {
    ovsdb::DesiredRows rows;
    rows.owner_mark = host.name;
    rows.bridge.name = host.bridge;
    rows.bridge.datapath_type = type_of(host);
    rows.bridge.datapath_id = fmt::format("{:016x}", datapath_id(host.name));
    rows.bridge.controllers = context.controllers;
    if (host.vtep) {
        ovsdb::DesiredPort vxlan;
        vxlan.name = ovsdb::kVxlanPort;
        vxlan.type = "vxlan";
        vxlan.options = {{"remote_ip", "flow"}, {"key", "flow"}, {"local_ip", host.vtep->to_string()}};
        // Only then: the datapath tells packets apart by their DSCP where it copies it.
        if (context.qos.marks) vxlan.options.emplace("tos", "inherit");
        vxlan.external_ids = {{std::string(ovsdb::kRoleKey), "vxlan"}};
        rows.ports.emplace(vxlan.name, std::move(vxlan));
        for (const auto& vtep : context.watched) {
            auto port = watch_port(host, vtep, context.withdrawn);
            rows.ports.emplace(port.name, std::move(port));
        }
    }
    rows.uplinks = host.uplinks;
    for (const auto& [interface, rate] : context.qos.shaped)
        rows.shapers.emplace(interface, shaper_of(rate, host.datapath == topology::Datapath::netdev));
    if (!context.qos.guaranteed.empty())
        for (const auto& [_, target] : host.uplinks)
            rows.shapers.emplace(target, shares_of(context.qos.guaranteed));
    return rows;
}

HostFacts facts_under(HostFacts now, const ovsdb::DesiredRows& before, const ovsdb::DesiredRows& after,
                      std::set<std::uint32_t> taken) {
    std::uint32_t number = kLastOfport + 1;
    const auto any_number = [&] {
        while (!taken.insert(--number).second) {
        }
        return number;
    };
    taken.insert(now.vxlan_ofport);
    for (const auto& [_, ofport] : now.uplinks)
        taken.insert(ofport);
    for (const auto& [_, ofport] : now.watched)
        taken.insert(ofport);

    auto then = now;
    then.watched.clear();
    then.uplinks.clear();
    const auto is_new = [&](const std::string& port) { return !before.ports.contains(port); };
    const std::string vxlan(ovsdb::kVxlanPort);
    if (!after.ports.contains(vxlan))
        then.vxlan_ofport = 0;
    else if (is_new(vxlan))
        then.vxlan_ofport = any_number();
    for (const auto& [name, port] : after.ports) {
        const auto vtep = Ip::parse(value_of(port.external_ids, ovsdb::kPeerKey));
        if (!vtep) continue;
        if (const auto known = now.watched.find(*vtep); known != now.watched.end())
            then.watched.insert(*known);
        else if (is_new(name))
            then.watched.emplace(*vtep, any_number());
    }
    for (const auto& uplink : after.uplinks) {
        const auto old = before.uplinks.find(uplink.first);
        const auto known = now.uplinks.find(uplink.first);
        if (old == before.uplinks.end() || old->second != uplink.second)
            then.uplinks.emplace(uplink.first, any_number());
        else if (known != now.uplinks.end())
            then.uplinks.insert(*known);
    }
    return then;
}

Observation observe(const ovsdb::Replica& replica, const topology::Host& host) {
    Observation seen;
    seen.facts.vtep = host.vtep;
    seen.facts.userspace = host.datapath == topology::Datapath::netdev;
    if (const auto* datapath = replica.datapath(type_of(host)))
        seen.facts.nd_ext = value_of(datapath->capabilities, "nd_ext") == "true";
    const auto* bridge = replica.named<ovsdb::Bridge>(host.bridge);
    if (bridge == nullptr) return seen;
    for (const auto* interface : replica.interfaces_of(*bridge)) {
        if (ovsdb::mark_of(interface->external_ids) != nullptr) {
            observe_own(*interface, seen);
            continue;
        }
        Claim claim;
        claim.interface = interface->name;
        claim.iface_id = value_of(interface->external_ids, "iface-id");
        claim.attached_mac = Mac::parse(value_of(interface->external_ids, "attached-mac"));
        claim.ofport = ofport_of(*interface);
        claim.error = interface->error.value_or("");
        claim.vm_id = value_of(interface->external_ids, "vm-id");
        claim.profile = value_of(interface->external_ids, "port-profile");
        if (!claim.iface_id.empty() || claim.attached_mac) seen.claims.push_back(std::move(claim));
    }
    seen.unmade = unmade(*bridge, host);
    if (host.vtep) seen.tunnels = foreign_tunnels(replica, *host.vtep, seen.facts);
    return seen;
}

std::vector<std::string> taken_by(const std::vector<ForeignTunnel>& tunnels, const HostView& host) {
    std::vector<std::string> taken;
    for (const auto& tunnel : tunnels) {
        if (tunnel.remote && !host.peers.contains(*tunnel.remote)) continue;
        if (tunnel.vni && !uses_vni(host, *tunnel.vni)) continue;
        taken.push_back(
            fmt::format("interface {} of bridge {} takes VXLAN{}{} on UDP port {} away from weft: delete it "
                        "(`ovs-vsctl del-port {}`)",
                        tunnel.interface, tunnel.bridge, tunnel.vni ? fmt::format(" of VNI {}", *tunnel.vni) : "",
                        tunnel.remote ? " from " + tunnel.remote->to_string() : "", kVxlanUdpPort, tunnel.port));
    }
    return taken;
}

std::string_view name_of(Uplink::State state) {
    switch (state) {
    case Uplink::State::up:
        return "up";
    case Uplink::State::no_carrier:
        return "no carrier";
    case Uplink::State::admin_down:
        return "administratively down";
    }
    return "";
}

std::map<std::string, Uplink> uplinks_of(const ovsdb::Replica& replica, const topology::Host& host) {
    std::map<std::string, Uplink> uplinks;
    const auto* bridge = replica.named<ovsdb::Bridge>(host.bridge);
    if (bridge == nullptr) return uplinks;
    for (const auto* interface : replica.interfaces_of(*bridge)) {
        const auto physnet = value_of(interface->external_ids, ovsdb::kUplinkKey);
        if (physnet.empty() || ovsdb::mark_of(interface->external_ids) == nullptr || ofport_of(*interface) == 0)
            continue;
        // link_state is "down" for one that is administratively down, too.
        uplinks.emplace(physnet, Uplink{interface->name, interface->admin_state == "down"  ? Uplink::State::admin_down
                                                         : interface->link_state == "down" ? Uplink::State::no_carrier
                                                                                           : Uplink::State::up});
    }
    return uplinks;
}

std::string trouble_of(const Uplink& uplink) {
    if (uplink.state == Uplink::State::up) return {};
    if (uplink.state == Uplink::State::no_carrier) return uplink.interface + " has no carrier";
    return fmt::format("{0} is administratively down: on the host `ip link set {0} up`", uplink.interface);
}

} // namespace weft::fabric
