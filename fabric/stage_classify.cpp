// classify: where does this packet come from? in_port and VLAN, or VXLAN sender and VNI, give the source attachment and
// the network. A VXLAN packet passes here twice: first its sender must be known, then its VNI, so that the flows are
// senders plus networks and not senders times networks.
#include "fabric/stages.hpp"

namespace weft::fabric {

namespace {

enum Priority : std::uint16_t { kMiss = 0, kPortMiss = 10, kKnown = 100, kDoubleTag = 200 };

of::Match from_tunnel() {
    return of::Match().set(kWayIn, static_cast<std::uint64_t>(WayIn::tunnel));
}

/// The actions that make a packet one of `network`'s.
of::Actions enter(const NetworkCore& network, WayIn way, bool tagged, bool is_edge = false) {
    of::Actions actions;
    if (tagged) actions.emplace_back(of::PopVlan{});
    actions.emplace_back(load(kNetwork, network.id.value));
    actions.emplace_back(load(way));
    if (network.routed && (way == WayIn::local || is_edge))
        actions.emplace_back(load(kRouter, network.routed->router.value));
    return actions;
}

/// Frames without a VID, bare or priority-tagged (VID 0 counts as untagged), or with `vlan`.
template <class Then>
void by_tag(std::uint32_t ofport, std::optional<std::uint16_t> vlan, Then then) {
    if (vlan) {
        then(of::Match().in_port(ofport).vlan(*vlan), true);
        return;
    }
    then(of::Match().in_port(ofport).untagged(), false);
    then(of::Match().in_port(ofport).vlan(0), true);
}

/// From the wire too: with a network's tag popped the inner one would choose among the sub-networks of a trunk port.
void drop_double_tags(Emit& emit, pipeline::Owner owner, std::uint32_t ofport) {
    // OVS parses one tag: the EtherType behind it is the second.
    for (const auto inner : {of::eth_type::kVlan, of::eth_type::kSvlan})
        emit.drop(Stage::classify, kDoubleTag, owner, Reason::double_tag,
                  of::Match().in_port(ofport).set(of::Field::vlan_tci, 0x1000, 0x1000).eth_type(inner));
}

} // namespace

void classify_host(Emit& emit) {
    const auto owner = owner_of(emit.host);
    emit.drop(Stage::classify, kMiss, owner, Reason::unbound, {});
    if (emit.host.facts.vxlan_ofport != 0) {
        emit.drop(Stage::classify, kPortMiss, owner, Reason::unknown_vtep,
                  of::Match().in_port(emit.host.facts.vxlan_ofport).set(kWayIn, 0));
        emit.drop(Stage::classify, kPortMiss, owner, Reason::unknown_destination, from_tunnel());
    }
    for (const auto& [_, ofport] : emit.host.facts.uplinks) {
        drop_double_tags(emit, owner, ofport);
        emit.drop(Stage::classify, kPortMiss, owner, Reason::unexpected_vlan, of::Match().in_port(ofport));
    }
}

void classify_peer(Emit& emit, const Ip& vtep) {
    if (emit.host.facts.vxlan_ofport == 0) return;
    emit.flow(Stage::classify, kKnown, owner_of(emit.host),
              of::Match()
                  .in_port(emit.host.facts.vxlan_ofport)
                  .set(kWayIn, 0)
                  .set(vtep.is_v6() ? of::Field::tun_ipv6_src : of::Field::tun_src, of::bits(vtep)),
              {load(WayIn::tunnel), of::Resubmit{pipeline::table_of(Stage::classify)}});
}

// What a peer sends from its flow-based port arrives on the point-to-point port that is there for BFD.
void classify_watched(Emit& emit, const Ip& vtep) {
    const auto port = emit.host.facts.watched.find(vtep);
    if (port == emit.host.facts.watched.end()) return;
    emit.flow(Stage::classify, kKnown, owner_of(emit.host), of::Match().in_port(port->second).set(kWayIn, 0),
              {load(WayIn::tunnel), of::Resubmit{pipeline::table_of(Stage::classify)}});
}

void classify_network(Emit& emit, const NetworkCore& network) {
    const auto owner = owner_of(network);
    if (network.kind == topology::NetworkKind::vxlan) {
        emit.flow(Stage::classify, kKnown, owner, from_tunnel().set(of::Field::tun_id, network.vni),
                  {load(kNetwork, network.id.value), go_to(Stage::track)});
        return;
    }
    const auto* uplink = uplink_of(emit.host, network);
    if (uplink == nullptr) return;
    const auto vlan = network.kind == topology::NetworkKind::vlan ? std::optional(network.vlan) : std::nullopt;
    by_tag(*uplink, vlan, [&](const of::Match& match, bool tagged) {
        auto actions = enter(network, WayIn::uplink, tagged, network.edge == emit.host.name);
        actions.emplace_back(go_to(Stage::respond));
        emit.flow(Stage::classify, kKnown, owner, match, std::move(actions));
    });
}

void classify_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment) {
    const auto owner = owner_of(attachment);
    // The first frame of a guest that migrates here says that it is here.
    if (attachment.leads && is_arriving(emit, attachment))
        emit.flow(Stage::classify, kPortMiss, owner, of::Match().in_port(attachment.binding.arriving->ofport),
                  {punt(Punt::arrived)});
    if (!is_plugged(emit, attachment)) return;
    const auto ofport = attachment.binding.ofport;
    by_tag(ofport, attachment.vlan, [&](const of::Match& match, bool tagged) {
        auto actions = enter(network, WayIn::local, tagged);
        actions.emplace_back(load(kSource, attachment.id.value));
        actions.emplace_back(go_to(Stage::guard));
        emit.flow(Stage::classify, kKnown, owner, match, std::move(actions));
    });
    if (!attachment.leads) return;
    drop_double_tags(emit, owner, ofport);
    emit.drop(Stage::classify, kPortMiss, owner, Reason::unexpected_vlan, of::Match().in_port(ofport));
}

} // namespace weft::fabric
