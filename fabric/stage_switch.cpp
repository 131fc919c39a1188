// switch: (network, destination MAC) → local port, VTEP or uplink. Broadcast and multicast go by two sets of groups,
// the network's local ports and everything beyond the host. What came from the wire or a tunnel goes to local ports
// only (split horizon). Unknown unicast goes to the uplink of a physical network and nowhere else.
#include "fabric/stages.hpp"

#include <functional>

namespace weft::fabric {

namespace {

enum Priority : std::uint16_t {
    kMiss = 0,
    kUnknown = 10,
    kUnknownFromLocal = 20,
    kFlood = 50,
    kFloodFromLocal = 60,
    kKnown = 100
};

/// A GROUP_MOD must fit 64 KiB; a bucket of a flood takes about 100 bytes.
constexpr std::size_t kBucketsPerGroup = 400;

enum class Side : std::uint8_t { local = 0, beyond = 1 };

/// network number (24 bits), chunk (7), side (1).
std::uint32_t group_id(const NetworkCore& network, std::size_t chunk, Side side) {
    return network.group_number << 8 | static_cast<std::uint32_t>(chunk & 0x7f) << 1 | static_cast<std::uint32_t>(side);
}

of::Match from_local(of::Match match) {
    return std::move(match.set(kWayIn, static_cast<std::uint64_t>(WayIn::local)));
}

of::Bucket bucket(of::Actions actions) {
    actions.emplace_back(again_to(Stage::filter_in));
    return {std::move(actions), std::nullopt};
}

/// Emits the groups that hold `buckets` and returns the actions that run them.
of::Actions emit_groups(Emit& emit, const NetworkCore& network, Side side, const std::vector<of::Bucket>& buckets) {
    of::Actions actions;
    for (std::size_t start = 0, chunk = 0; start < buckets.size(); start += kBucketsPerGroup, ++chunk) {
        const auto end = std::min(start + kBucketsPerGroup, buckets.size());
        const auto at = [&](std::size_t i) { return buckets.begin() + static_cast<std::ptrdiff_t>(i); };
        const auto id = group_id(network, chunk, side);
        emit.group({id, of::GroupType::all, {at(start), at(end)}});
        actions.emplace_back(of::Group{id});
    }
    return actions;
}

} // namespace

void switch_host(Emit& emit) {
    emit.drop(Stage::switching, kMiss, owner_of(emit.host), Reason::unknown_destination, {});
}

void switch_network(Emit& emit, const NetworkView& view) {
    const auto& network = view.core;
    const auto owner = owner_of(network);
    const auto here = [&network] { return of::Match().metadata(network.id.value); };
    std::vector<of::Bucket> local;
    std::vector<of::Bucket> beyond;
    for (const auto& [_, attachment] : view.bound)
        if (is_local(emit, *attachment)) local.push_back(bucket({load(kDestination, attachment->id.value)}));
    if (network.kind == topology::NetworkKind::vxlan) {
        for (const auto& [host, vtep] : view.hosts)
            if (host != emit.host.name && vtep) beyond.push_back(bucket(to_vtep(network.vni, *vtep)));
    }
    if (uplink_of(emit.host, network) != nullptr) {
        beyond.push_back(bucket({load(WayOut::uplink)}));
        emit.flow(Stage::switching, kUnknownFromLocal, owner, from_local(here()),
                  {load(WayOut::uplink), forget_in_port(), go_to(Stage::filter_in)});
    }
    emit.drop(Stage::switching, kUnknown, owner, Reason::unknown_destination, here());

    const auto to_local = emit_groups(emit, network, Side::local, local);
    auto to_all = emit_groups(emit, network, Side::beyond, beyond);
    emit.flow(Stage::switching, kFlood, owner, here().multicast(true), to_local);
    if (to_all.empty()) return;
    to_all.insert(to_all.end(), to_local.begin(), to_local.end());
    emit.flow(Stage::switching, kFloodFromLocal, owner, from_local(here().multicast(true)), std::move(to_all));
}

of::Actions way_to(const Emit& emit, const NetworkCore& network, const Attachment& attachment) {
    if (is_local(emit, attachment))
        return {load(kDestination, attachment.id.value), forget_in_port(), go_to(Stage::filter_in)};
    if (network.kind != topology::NetworkKind::vxlan || !attachment.vtep) return {};
    auto actions = to_vtep(network.vni, *attachment.vtep);
    actions.emplace_back(forget_in_port());
    actions.emplace_back(go_to(Stage::filter_in));
    return actions;
}

void switch_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment) {
    auto way = way_to(emit, network, attachment);
    if (way.empty()) return;
    auto match = of::Match().metadata(network.id.value).eth_dst(attachment.mac);
    emit.flow(Stage::switching, kKnown, owner_of(attachment),
              is_local(emit, attachment) ? std::move(match) : from_local(std::move(match)), std::move(way));
}

} // namespace weft::fabric
