#include "fabric/compile.hpp"

#include "fabric/stages.hpp"

namespace weft::fabric {
namespace {

void compile_host(Emit& emit) {
    classify_host(emit);
    guard_host(emit);
    respond_host(emit);
    switch_host(emit);
    output_host(emit);
}

void compile_peer(Emit& emit, const Ip& vtep) {
    classify_peer(emit, vtep);
    guard_peer(emit, vtep);
}

/// The network as a whole. Reads which ports are local and which hosts share it, nothing of a single port's.
void compile_network(Emit& emit, const NetworkView& network) {
    classify_network(emit, network.core);
    switch_network(emit, network);
    output_network(emit, network.core);
}

void compile_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment) {
    // A local network's ports on other hosts might as well be another network's.
    if (network.kind == topology::NetworkKind::local && !is_local(emit, attachment)) return;
    classify_attachment(emit, network, attachment);
    guard_attachment(emit, network, attachment);
    respond_attachment(emit, network, attachment);
    switch_attachment(emit, network, attachment);
    output_attachment(emit, attachment);
}

void compile_all(Emit& emit) {
    compile_host(emit);
    for (const auto& vtep : emit.host.peers)
        compile_peer(emit, vtep);
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
void compile_changed(Emit& before, Emit& after, const NetworkPtr& was, const NetworkPtr& is) {
    if (was) compile_network(before, *was);
    if (is) compile_network(after, *is);
    static const std::map<std::string, AttachmentPtr> kNone;
    const auto& members_before = was ? was->bound : kNone;
    const auto& members_after = is ? is->bound : kNone;
    if (was && is && was->core == is->core) {
        merge_walk(members_before, members_after, [&](const AttachmentPtr& b, const AttachmentPtr& a) {
            if (b) compile_attachment(before, was->core, *b);
            if (a) compile_attachment(after, is->core, *a);
        });
        return;
    }
    for (const auto& [_, member] : members_before)
        compile_attachment(before, was->core, *member);
    for (const auto& [_, member] : members_after)
        compile_attachment(after, is->core, *member);
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
    // A host's own facts (ofports, capabilities, VTEP) are in all of its flows, and change as good as never.
    if (!was || !is || was->facts != is->facts) return diff(compile(before, host), compile(after, host));

    SwitchState state_before;
    SwitchState state_after;
    Emit emit_before(state_before, *was);
    Emit emit_after(state_after, *is);
    for (const auto& vtep : was->peers)
        if (!is->peers.contains(vtep)) compile_peer(emit_before, vtep);
    for (const auto& vtep : is->peers)
        if (!was->peers.contains(vtep)) compile_peer(emit_after, vtep);
    merge_walk(was->networks, is->networks,
               [&](const NetworkPtr& b, const NetworkPtr& a) { compile_changed(emit_before, emit_after, b, a); });
    return diff(state_before, state_after);
}

SwitchDelta diff(const SwitchState& before, const SwitchState& after) {
    return {of::diff(before.flows, after.flows), of::diff(before.groups, after.groups),
            of::diff(before.meters, after.meters)};
}

} // namespace weft::fabric
