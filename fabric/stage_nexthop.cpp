// nexthop: the next hop's MAC and where it is, the router's MAC as source, one TTL less. What may not go on is told to
// its sender by ICMP: the daemon makes the message.
#include "fabric/stages.hpp"

namespace weft::fabric {
namespace {

enum Priority : std::uint16_t {
    kMiss = 0,
    kUnknown = 50,
    kNeighbour = 90,
    kKnown = 100,
    kTooBigMiss = 900,
    kExpired = 1000,
    kCount = 1100, // before both: what check_pkt_larger sends two ways is counted once
};

constexpr std::uint64_t kCounted = 2; ///< in kTooBig: has been recirculated

/// A select group: OVS recirculates to choose its bucket. Networks' and gateways' groups have numbers from 1, this is
/// 0.
constexpr std::uint32_t kRecirculate = 1;

of::Match nexthop(const NetworkCore& network, const Ip& ip) {
    auto match = of::Match().metadata(network.id.value);
    if (ip.is_v4()) return std::move(match.ipv4().set(kNexthop4, of::bits(ip)));
    return std::move(match.ipv6().set(kNexthop6, of::bits(ip)));
}

/// A packet with no TTL to spare, or larger than the next network takes.
void limits(Emit& emit, Owner owner, ObjectId table) {
    for (const auto type : {of::eth_type::kIpv4, of::eth_type::kIpv6}) {
        const auto here = [&] { return of::Match().set(kRouter, table.value).eth_type(type); };
        for (const std::uint64_t ttl : {0, 1})
            emit.drop(Stage::nexthop, kExpired, owner, Reason::ttl_expired, here().set(of::Field::ip_ttl, ttl),
                      {punt(Punt::ttl_expired)});
        // OVS counts every packet on both ways out of check_pkt_larger. Behind a recirculation only those that are too
        // big come. (Not by ct: it would hold back fragments whose last one is not too big.)
        emit.flow(Stage::nexthop, kCount, owner, here().set(kTooBig, 1), {of::Group{kRecirculate}});
        emit.drop(Stage::nexthop, kTooBigMiss, owner, Reason::too_big, here().set(kTooBig, kCounted),
                  {punt(Punt::too_big)});
    }
}

/// Onto a physical network by this host's uplink, with a MAC that only this host has there.
of::Actions onto_wire(const Emit& emit, const NetworkCore& network, const Mac& mac) {
    return {of::set_field(of::Field::eth_src, host_mac(emit.host.name, network.physnet)),
            of::set_field(of::Field::eth_dst, mac),
            of::DecTtl{},
            load(WayOut::uplink),
            forget_in_port(),
            go_to(Stage::filter_in)};
}

} // namespace

void nexthop_host(Emit& emit) {
    emit.group(
        {kRecirculate, of::GroupType::select, {{{load(kTooBig, kCounted), again_to(Stage::nexthop)}, std::nullopt}}});
    emit.drop(Stage::nexthop, kMiss, owner_of(emit.host), Reason::no_neighbour, {});
}

void nexthop_router(Emit& emit, const RouterView& router) {
    limits(emit, {Kind::router, router.id, {}}, router.id);
}

void nexthop_gateway(Emit& emit, const nat::Gateway& gateway) {
    const Owner owner{Kind::gateway, gateway.id, {}};
    limits(emit, owner, gateway.id);
    for (const auto type : {of::eth_type::kIpv4, of::eth_type::kIpv6})
        emit.flow(Stage::nexthop, kKnown, owner, of::Match().metadata(gateway.id.value).eth_type(type),
                  {of::set_field(of::Field::eth_dst, gateway.mac), of::DecTtl{}, go_to(Stage::commit)});
}

void nexthop_network(Emit& emit, const NetworkView& view) {
    const auto& network = view.core;
    if (!network.routed) return;
    if (uplink_of(emit.host, network) != nullptr)
        for (const auto& [ip, mac] : view.neighbours)
            emit.flow(Stage::nexthop, kNeighbour, owner_of(network), nexthop(network, ip),
                      onto_wire(emit, network, mac));
    for (const auto type : {of::eth_type::kIpv4, of::eth_type::kIpv6})
        emit.drop(Stage::nexthop, kUnknown, owner_of(network), Reason::no_neighbour,
                  of::Match().metadata(network.id.value).eth_type(type), {punt(Punt::no_neighbour)});
}

void nexthop_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment) {
    if (!network.routed) return;
    if (!is_local(emit, attachment) && network.physical()) {
        if (uplink_of(emit.host, network) != nullptr)
            for (const auto& ip : attachment.ips)
                emit.flow(Stage::nexthop, kKnown, owner_of(attachment), nexthop(network, ip),
                          onto_wire(emit, network, attachment.mac));
        return;
    }
    auto way = way_to(emit, network, attachment);
    if (way.empty()) return;
    of::Actions actions{of::set_field(of::Field::eth_src, network.routed->mac),
                        of::set_field(of::Field::eth_dst, attachment.mac), of::DecTtl{}};
    of::append(actions, way);
    for (const auto& ip : attachment.ips)
        emit.flow(Stage::nexthop, kKnown, owner_of(attachment), nexthop(network, ip), actions);
}

} // namespace weft::fabric
