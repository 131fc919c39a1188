// route: which network is next, and which address in it. Packets to a router's MAC, under that router's routes; what a
// gateway took in from outside, under those of all routers behind it. Longest prefix first; a network's own subnet
// before a static route of the same length.
#include "fabric/special.hpp"
#include "fabric/stages.hpp"
#include "pipeline/answer.hpp"

#include <algorithm>

namespace weft::fabric {
namespace {

enum Priority : std::uint16_t {
    kMiss = 0, // not to a router
    kNoRoute = 90,
    kPrefix = 100, // plus twice the length, plus one for a network's own
    kNowhere = 500,
    kLinksOwn = 700,
    kOwn = 600,
    kOwnPorts = 610,
    kEcho = 620,
};
constexpr int kEthernet = 14;

std::uint16_t priority_of(const Prefix& prefix, bool connected) {
    return static_cast<std::uint16_t>(kPrefix + 2 * prefix.length + (connected ? 1 : 0));
}

of::CheckPktLarger larger_than(std::uint16_t mtu) {
    return {static_cast<std::uint16_t>(mtu + kEthernet), kTooBig, 0};
}

/// Where routes are looked up: a router, or a gateway on behalf of the routers behind it.
struct Table {
    ObjectId id;
    std::optional<Mac> mac; ///< packets to it; none: all
    of::Match match() const {
        auto match = of::Match().set(kRouter, id.value);
        if (mac) match.eth_dst(*mac);
        return match;
    }
};

/// What no group judges, since it never leaves its link, must not come from another one.
void drop_links_own(Emit& emit, Owner owner, const Table& table) {
    for (auto matches : {discovery(), dhcp_answers()})
        for (auto& match : matches)
            emit.drop(Stage::route, kLinksOwn, owner, Reason::no_route, both(std::move(match), table.match()));
}

class Routes {
  public:
    Routes(Emit& emit, const RouterView& router, Table table)
        : emit_(emit), router_(router), table_(table), owner_{Kind::router, router.id, {}} {}

    void networks() {
        for (const auto& leg : router_.legs) {
            for (const auto& subnet : {leg.subnet, leg.subnet6}) {
                if (!subnet) continue;
                const bool v4 = subnet->address.is_v4();
                of::Actions actions{v4 ? of::move_field(of::Field::ip_dst, kNexthop4)
                                       : of::move_field(of::Field::ipv6_dst, kNexthop6)};
                to_leg(*subnet, true, leg, std::move(actions));
            }
        }
    }

    /// `all`: also a default route.
    void routes(bool all) {
        for (const auto& route : router_.routes)
            if (all || route.prefix.length > 0)
                to_leg(route.prefix, false, router_.legs[route.leg],
                       {of::set_field(route.via.is_v4() ? kNexthop4 : kNexthop6, of::bits(route.via))});
    }

    void gateway() {
        if (!router_.gateway) return;
        const auto out = [&](of::Match match) {
            const bool v6 = match.find(of::Field::eth_type)->value == of::eth_type::kIpv6;
            const bool has_own = std::ranges::any_of(router_.routes, [&](const StaticRoute& route) {
                return route.prefix.length == 0 && route.prefix.address.is_v6() == v6;
            });
            if (has_own) return; // a default route of the router's own
            of::Actions actions{load(kNetwork, router_.gateway->value)};
            if (router_.largest_mtu > router_.gateway_mtu) actions.emplace_back(larger_than(router_.gateway_mtu));
            actions.emplace_back(go_to(Stage::nexthop));
            emit_.flow(Stage::route, kPrefix, owner_, std::move(match), std::move(actions));
        };
        if (router_.gateway_has_ip4) out(table_.match().ipv4());
        if (router_.gateway_has_ip6) out(table_.match().ipv6());
    }

    /// Ping is answered, other ports are said to be closed.
    void own_addresses() {
        for (const auto& leg : router_.legs)
            for (const auto& ip : {leg.gateway, leg.gateway6})
                if (ip) own_address(*ip);
        if (std::ranges::any_of(router_.legs, [](const Leg& leg) { return leg.gateway6.has_value(); }))
            own_address(Ip::link_local(router_.mac));
    }

    /// Ping of the router's addresses that came in by its gateway, untranslated: the answer leaves by the gateway too.
    void own_addresses_from_outside() {
        for (const auto& leg : router_.legs)
            for (const auto& ip : {leg.gateway, leg.gateway6}) {
                if (!ip) continue;
                auto actions = echo_reply(*ip, router_.mac);
                of::append(actions,
                           of::Actions{load(kNetwork, table_.id.value), load(Nat::none), go_to(Stage::nat_out)});
                emit_.flow(Stage::route, kEcho, owner_, echo_request(table_.match(), *ip), std::move(actions));
                emit_.drop(Stage::route, kOwn, owner_, Reason::unknown_destination, table_.match().ip_dst(*ip));
            }
    }

    void nowhere() {
        for (const auto* prefix : {"224.0.0.0/4", "255.255.255.255", "169.254.0.0/16", "ff00::/8", "fe80::/10"})
            emit_.drop(Stage::route, kNowhere, owner_, Reason::no_route, table_.match().ip_dst(*Prefix::parse(prefix)));
        for (const auto type : {of::eth_type::kIpv4, of::eth_type::kIpv6})
            emit_.drop(Stage::route, kNoRoute, owner_, Reason::no_route, table_.match().eth_type(type),
                       {punt(Punt::no_route)});
    }

  private:
    void to_leg(const Prefix& prefix, bool connected, const Leg& leg, of::Actions actions) {
        actions.emplace_back(load(kNetwork, leg.network_id.value));
        if (router_.largest_mtu > leg.mtu) actions.emplace_back(larger_than(leg.mtu));
        actions.emplace_back(go_to(Stage::nexthop));
        emit_.flow(Stage::route, priority_of(prefix, connected), owner_, table_.match().ip_dst(prefix),
                   std::move(actions));
    }

    void own_address(const Ip& ip) {
        for (const auto way : {WayIn::local, WayIn::uplink}) {
            auto actions = echo_reply(ip, router_.mac);
            of::append(actions, back(way));
            emit_.flow(Stage::route, kEcho, owner_,
                       echo_request(table_.match().set(kWayIn, static_cast<std::uint64_t>(way)), ip),
                       std::move(actions));
        }
        for (const auto protocol : {of::ip_proto::kTcp, of::ip_proto::kUdp})
            emit_.drop(Stage::route, kOwnPorts, owner_, Reason::unknown_destination,
                       table_.match().ip_dst(ip).set(of::Field::ip_proto, protocol), {punt(Punt::port_unreachable)});
        emit_.drop(Stage::route, kOwn, owner_, Reason::unknown_destination, table_.match().ip_dst(ip));
    }

    Emit& emit_;
    const RouterView& router_;
    Table table_;
    Owner owner_;
};

} // namespace

void route_host(Emit& emit) {
    emit.flow(Stage::route, kMiss, owner_of(emit.host), {}, {go_to(Stage::switching)});
}

void route_router(Emit& emit, const RouterView& router) {
    Routes routes(emit, router, {router.id, router.mac});
    routes.networks();
    routes.routes(true);
    routes.gateway();
    routes.own_addresses();
    routes.nowhere();
    drop_links_own(emit, {Kind::router, router.id, {}}, {router.id, router.mac});
    if (!router.gateway) return;
    // What a gateway took in goes to its routers' networks and no further. Their subnets do not overlap.
    Routes from_outside(emit, router, {*router.gateway, std::nullopt});
    from_outside.networks();
    from_outside.routes(false);
    from_outside.own_addresses_from_outside();
}

void route_gateway(Emit& emit, const nat::Gateway& gateway) {
    drop_links_own(emit, {Kind::gateway, gateway.id, {}}, {gateway.id, std::nullopt});
    for (const auto type : {of::eth_type::kIpv4, of::eth_type::kIpv6})
        emit.drop(Stage::route, kNoRoute, {Kind::gateway, gateway.id, {}}, Reason::no_route,
                  of::Match().set(kRouter, gateway.id.value).eth_type(type));
}

} // namespace weft::fabric
