// nexthop: the next hop's MAC and where it is, the router's MAC as source, one TTL less. What may not go on is told to
// its sender by ICMP: the daemon makes the message.
#include "fabric/stages.hpp"

namespace weft::fabric {
namespace {

enum Priority : std::uint16_t {
    kMiss = 0,
    kUnknown = 50,
    kKnown = 100,
    kTooBigMiss = 900,
    kExpired = 1000,
};

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
        emit.drop(Stage::nexthop, kTooBigMiss, owner, Reason::too_big, here().set(kTooBig, 1), {punt(Punt::too_big)});
    }
}

} // namespace

void nexthop_host(Emit& emit) {
    emit.drop(Stage::nexthop, kMiss, owner_of(emit.host), Reason::no_neighbour, {});
}

void nexthop_router(Emit& emit, const RouterView& router) {
    limits(emit, {Kind::router, router.id, {}}, router.id);
}

void nexthop_gateway(Emit& emit, const nat::Gateway& gateway) {
    limits(emit, {Kind::gateway, gateway.id, {}}, gateway.id);
}

void nexthop_network(Emit& emit, const NetworkCore& network) {
    if (!network.routed) return;
    for (const auto type : {of::eth_type::kIpv4, of::eth_type::kIpv6})
        emit.drop(Stage::nexthop, kUnknown, owner_of(network), Reason::no_neighbour,
                  of::Match().metadata(network.id.value).eth_type(type), {punt(Punt::no_neighbour)});
}

void nexthop_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment) {
    if (!network.routed) return;
    auto way = way_to(emit, network, attachment);
    if (way.empty()) return;
    of::Actions actions{of::set_field(of::Field::eth_src, network.routed->mac),
                        of::set_field(of::Field::eth_dst, attachment.mac), of::DecTtl{}};
    of::append(actions, way);
    for (const auto& ip : attachment.ips)
        emit.flow(Stage::nexthop, kKnown, owner_of(attachment), nexthop(network, ip), actions);
}

} // namespace weft::fabric
