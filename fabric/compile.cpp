#include "fabric/compile.hpp"

#include "fabric/stages.hpp"
#include "nat/stages.hpp"

namespace weft::fabric {
namespace {

void compile_host(Emit& emit) {
    emit.meter({.id = kPuntMeter, .packets = true, .rate = kPuntRate, .burst = kPuntRate});
    emit.meter({.id = kSampleMeter, .packets = true, .rate = kSampleRate, .burst = kSampleRate});
    emit.meter({.id = kServiceMeter, .packets = true, .rate = kServiceRate, .burst = kServiceRate});
    classify_host(emit);
    guard_host(emit);
    respond_host(emit);
    filter_host(emit);
    nat_in_host(emit);
    track_host(emit);
    groups_host(emit);
    route_host(emit);
    nexthop_host(emit);
    switch_host(emit);
    commit_host(emit);
    nat_out_host(emit);
    output_host(emit);
}

void compile_peer(Emit& emit, const Ip& vtep) {
    classify_peer(emit, vtep);
    guard_peer(emit, vtep);
}

void compile_watched(Emit& emit, const Ip& vtep) {
    classify_watched(emit, vtep);
}

void compile_router(Emit& emit, const RouterView& router) {
    route_router(emit, router);
    nexthop_router(emit, router);
}

/// What a gateway's flows depend on beside itself.
nat::Site site_of(const HostView& host, const nat::Gateway& gateway) {
    const auto uplink = host.facts.uplinks.find(gateway.physnet);
    return {.host = host.name,
            .uplink = uplink == host.facts.uplinks.end() ? 0 : uplink->second,
            .watched = host.facts.watched,
            .nd_ext = host.facts.nd_ext,
            .translating = host.translating.contains(gateway.network)};
}

void compile_gateway(Emit& emit, const nat::Gateway& gateway) {
    const auto here = site_of(emit.host, gateway);
    route_gateway(emit, gateway);
    nexthop_gateway(emit, gateway);
    nat::classify_gateway(emit, gateway, here);
    nat::respond_gateway(emit, gateway, here);
    nat::nat_in_gateway(emit, gateway, here);
    nat::track_gateway(emit, gateway, here);
    nat::commit_gateway(emit, gateway, here);
    nat::nat_out_gateway(emit, gateway, here);
}

/// The network as a whole. Reads which ports are local and which hosts share it, nothing of a single port's.
void compile_network(Emit& emit, const NetworkView& network) {
    classify_network(emit, network.core);
    respond_network(emit, network.core);
    filter_network(emit, network.core);
    nexthop_network(emit, network);
    switch_network(emit, network);
    output_network(emit, network.core);
}

void compile_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment) {
    classify_attachment(emit, network, attachment);
    // A local network's ports on other hosts might as well be another network's.
    if (network.kind == topology::NetworkKind::local && !is_local(emit, attachment)) return;
    guard_attachment(emit, network, attachment);
    respond_attachment(emit, network, attachment);
    groups_attachment(emit, attachment);
    nexthop_attachment(emit, network, attachment);
    switch_attachment(emit, network, attachment);
    nat_out_attachment(emit, network, attachment);
    output_attachment(emit, attachment);
}

void compile_zone(Emit& emit, const ZoneView& zone) {
    track_zone(emit, zone);
    commit_zone(emit, zone);
}

void compile_group(Emit& emit, const HostGroup& group) {
    rules_group(emit, group);
}

/// A network that only routers lead to from here.
void compile_reached(Emit& emit, const NetworkView& network) {
    nexthop_network(emit, network);
    output_network(emit, network.core);
}

void compile_all(Emit& emit) {
    compile_host(emit);
    for (const auto& vtep : emit.host.peers)
        compile_peer(emit, vtep);
    for (const auto& vtep : emit.host.watched)
        compile_watched(emit, vtep);
    for (const auto& [_, router] : emit.host.routers)
        compile_router(emit, *router);
    for (const auto& [_, gateway] : emit.host.gateways)
        compile_gateway(emit, *gateway);
    for (const auto& [_, zone] : emit.host.zones)
        compile_zone(emit, *zone);
    for (const auto& [_, group] : emit.host.groups)
        compile_group(emit, *group);
    for (const auto& [_, network] : emit.host.reached) {
        compile_reached(emit, *network);
        for (const auto& [port, attachment] : network->bound)
            nexthop_attachment(emit, network->core, *attachment);
    }
    for (const auto& [_, network] : emit.host.networks) {
        compile_network(emit, *network);
        for (const auto& [port, attachment] : network->bound)
            compile_attachment(emit, network->core, *attachment);
    }
}

/// Walks two ordered maps of shared values together; calls `changed(before, after)` with a null for what is missing.
template <class Map, class Changed>
void merge_walk(const Map& before, const Map& after, Changed changed) {
    using Value = typename Map::mapped_type;
    auto b = before.begin();
    auto a = after.begin();
    while (b != before.end() || a != after.end()) {
        if (a == after.end() || (b != before.end() && b->first < a->first))
            changed((b++)->second, Value{});
        else if (b == before.end() || a->first < b->first)
            changed(Value{}, (a++)->second);
        else {
            if (b->second != a->second) changed(b->second, a->second);
            ++b;
            ++a;
        }
    }
}

/// The units of a network on one host that differ, compiled both ways.
template <class Network, class Member>
void compile_changed(Emit& before, Emit& after, const NetworkPtr& was, const NetworkPtr& is, Network compile_view,
                     Member compile_member) {
    if (was) compile_view(before, *was);
    if (is) compile_view(after, *is);
    static const std::map<std::string, AttachmentPtr> kNone;
    const auto& members_before = was ? was->bound : kNone;
    const auto& members_after = is ? is->bound : kNone;
    if (was && is && was->core == is->core) {
        merge_walk(members_before, members_after, [&](const AttachmentPtr& b, const AttachmentPtr& a) {
            if (b) compile_member(before, was->core, *b);
            if (a) compile_member(after, is->core, *a);
        });
        return;
    }
    for (const auto& [_, member] : members_before)
        compile_member(before, was->core, *member);
    for (const auto& [_, member] : members_after)
        compile_member(after, is->core, *member);
}

/// Units that are the parts of a set: those in one of the two only.
template <class Set, class Unit>
void compile_difference(Emit& before, Emit& after, const Set& was, const Set& is, Unit compile_unit) {
    for (const auto& part : was)
        if (!is.contains(part)) compile_unit(before, part);
    for (const auto& part : is)
        if (!was.contains(part)) compile_unit(after, part);
}

/// Units that are the values of a map.
template <class Map, class Unit>
void compile_differing(Emit& before, Emit& after, const Map& was, const Map& is, Unit compile_unit) {
    merge_walk(was, is, [&](const auto& b, const auto& a) {
        if (b) compile_unit(before, *b);
        if (a) compile_unit(after, *a);
    });
}

HostPtr host_of(const World& world, const std::string& name) {
    const auto found = world.hosts.find(name);
    return found == world.hosts.end() ? nullptr : found->second;
}

} // namespace

SwitchState compile(const World& world, const std::string& host) {
    SwitchState state;
    const auto view = host_of(world, host);
    if (!view) return state;
    Emit emit(state, *view);
    compile_all(emit);
    return state;
}

SwitchDelta delta(const World& before, const World& after, const std::string& host) {
    const auto was = host_of(before, host);
    const auto is = host_of(after, host);
    if (was == is) return {};
    // A host's own facts (ofports, capabilities, VTEP, role) are in all of its flows, and change as good as never.
    if (!was || !is || was->facts != is->facts || was->translating != is->translating)
        return diff(compile(before, host), compile(after, host));

    SwitchState state_before;
    SwitchState state_after;
    Emit emit_before(state_before, *was);
    Emit emit_after(state_after, *is);
    compile_difference(emit_before, emit_after, was->peers, is->peers, compile_peer);
    compile_difference(emit_before, emit_after, was->watched, is->watched, compile_watched);
    compile_differing(emit_before, emit_after, was->routers, is->routers, compile_router);
    compile_differing(emit_before, emit_after, was->gateways, is->gateways, compile_gateway);
    compile_differing(emit_before, emit_after, was->zones, is->zones, compile_zone);
    compile_differing(emit_before, emit_after, was->groups, is->groups, compile_group);
    merge_walk(was->networks, is->networks, [&](const NetworkPtr& b, const NetworkPtr& a) {
        compile_changed(emit_before, emit_after, b, a, compile_network, compile_attachment);
    });
    merge_walk(was->reached, is->reached, [&](const NetworkPtr& b, const NetworkPtr& a) {
        compile_changed(emit_before, emit_after, b, a, compile_reached, nexthop_attachment);
    });
    return diff(state_before, state_after);
}

SwitchDelta diff(const SwitchState& before, const SwitchState& after) {
    return {of::diff(before.flows, after.flows), of::diff(before.groups, after.groups),
            of::diff(before.meters, after.meters)};
}

} // namespace weft::fabric
