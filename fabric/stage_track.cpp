// track and state: connections of a zone are tracked on the hosts of its ports and nowhere else, since a host that only
// relays sees half of them. Tracked is what a local port sends, and what is for one: from a tunnel, the wire or a
// gateway. What the connection tracker cannot know (ARP, ND) and what no group may cut (DHCP, the port's router) goes
// past it.
#include "fabric/special.hpp"
#include "fabric/stages.hpp"

#include <array>

namespace weft::fabric {
namespace {

enum Priority : std::uint16_t {
    kMiss = 0,
    // track
    kTracked = 100,
    kOwnGateways = 150, // what a gateway of this host sends onto its public network
    kToPort = 155,      // of that, what is for a port here
    kSpecial = 300,
    kOwnRouter = 320,
    kRoute = 1000, // plus twice the length, plus one for a network's own; more than nat's
    kAddress = 2000,
    // state
    kOther = 100,
    kNew = 150,
    kEstablished = 200,
    kInvalid = 300,
    kInvalidOf = 310,
    // nat_in: more than any of nat's
    kBeforeGateway = 400,
};

constexpr std::array kFamilies{of::eth_type::kIpv4, of::eth_type::kIpv6};

of::Match state(std::uint32_t set, std::uint32_t clear = 0) {
    return of::Match().set(of::Field::ct_state, of::ct::kTrk | set, of::ct::kTrk | set | clear);
}

class Tracker {
  public:
    Tracker(Emit& emit, const ZoneView& zone) : emit_(emit), zone_(zone), owner_(owner_of(zone)) {}

    void network(const ZoneNetwork& network) {
        const auto here = [&] { return of::Match().metadata(network.id.value); };
        for (const auto& ip : network.router)
            pass(kOwnRouter, here().eth_dst(network.router_mac).ip_dst(ip));
        for (const auto way : {WayIn::local, WayIn::tunnel})
            track(kTracked, by(way, here()));
        if (network.physical) track(kTracked, by(WayIn::uplink, here()).multicast(true));
        if (network.beside_gateway) pass(kOwnGateways, by(WayIn::local, here()).set(kSource, 0));
        // What asks beyond its link is a connection like any other, and not a DHCP client's affair.
        if (!network.router.empty())
            for (auto& match : dhcp_requests())
                track_in(kSpecial + 10, both(std::move(match), by(WayIn::local, here()).eth_dst(network.router_mac)));
    }

    /// What comes in by the edge or a gateway is tracked here if it ends here. As in route, the longest prefix decides.
    void routes() {
        for (const auto& route : zone_.routes) {
            const auto priority =
                static_cast<std::uint16_t>(kRoute + 2 * route.prefix.length + (route.connected ? 1 : 0));
            for (auto& match : routed()) {
                // A router's default route is not for what its gateway took in.
                if (route.prefix.length == 0 && match.find(kWayIn) == nullptr) continue;
                match.ip_dst(route.prefix);
                route.local ? track_in(priority, std::move(match)) : pass(priority, std::move(match));
            }
        }
    }

    void port(const ZonePort& port) {
        const auto network = [&] { return of::Match().metadata(port.network.value); };
        if (port.physical) track(kTracked, by(WayIn::uplink, network()).eth_dst(port.mac));
        if (port.beside_gateway) track(kToPort, by(WayIn::local, network()).set(kSource, 0).eth_dst(port.mac));
        for (const auto& ip : port.ips)
            for (auto& match : routed())
                track_in(kAddress, std::move(match.ip_dst(ip)));
        // What it sends to a gateway here is judged before it is translated; then switch sends it back to nat_in.
        if (port.beside_gateway)
            for (const auto family : kFamilies)
                emit_.flow(Stage::nat_in, kBeforeGateway, owner_,
                           network().set(kSource, port.id.value).eth_type(family), {go_to(Stage::track)});
        const Owner owner{Kind::port, port.owner, {}};
        const auto from_port = [&](of::Match match) { return std::move(match.set(kSource, port.id.value)); };
        emit_.drop(Stage::state, kInvalidOf, owner, Reason::ct_invalid, from_port(state(of::ct::kInv)));
        if (port.ofport != 0)
            emit_.flow(Stage::state, kNew, owner, from_port(state(of::ct::kNew)).set(of::Field::ct_zone, zone_.number),
                       {of::Meter{new_connections_meter(port.ofport)}, load(Verdict::pending, zone_.number),
                        go_to(Stage::egress_groups)});
    }

    void states() {
        for (const auto related : {of::ct::kEst, of::ct::kRel})
            emit_.flow(Stage::state, kEstablished, owner_,
                       state(related, of::ct::kInv)
                           .set(of::Field::ct_zone, zone_.number)
                           .set(of::Field::ct_mark, zone_.policy),
                       {load(Verdict::established, zone_.number), go_to(Stage::route)});
        emit_.flow(Stage::state, kOther, owner_, state(0, of::ct::kInv).set(of::Field::ct_zone, zone_.number),
                   {load(Verdict::pending, zone_.number), go_to(Stage::egress_groups)});
    }

  private:
    static of::Match by(WayIn way, of::Match match) {
        return std::move(match.set(kWayIn, static_cast<std::uint64_t>(way)));
    }
    /// Packets that are for the router, or behind it, and that no port of this host sent.
    std::vector<of::Match> routed() const {
        std::vector<of::Match> matches;
        if (zone_.edge) matches.push_back(by(WayIn::uplink, of::Match().set(kRouter, zone_.router->value)));
        if (zone_.gateway) matches.push_back(of::Match().set(kRouter, zone_.gateway->value));
        return matches;
    }
    void pass(std::uint16_t priority, of::Match match) {
        emit_.flow(Stage::track, priority, owner_, std::move(match), {go_to(Stage::route)});
    }
    void track(std::uint16_t priority, const of::Match& match) {
        for (const auto family : kFamilies)
            track_in(priority, of::Match(match).eth_type(family));
    }
    void track_in(std::uint16_t priority, of::Match match) {
        emit_.flow(Stage::track, priority, owner_, std::move(match),
                   {of::Ct{.zone = zone_.number, .table = pipeline::table_of(Stage::state)}});
    }

    Emit& emit_;
    const ZoneView& zone_;
    pipeline::Owner owner_;
};

} // namespace

void track_host(Emit& emit) {
    const auto owner = owner_of(emit.host);
    for (auto& match : never_tracked())
        emit.flow(Stage::track, kSpecial, owner, std::move(match), {go_to(Stage::route)});
    emit.flow(Stage::track, kMiss, owner, {}, {go_to(Stage::egress_groups)});
    emit.drop(Stage::state, kInvalid, owner, Reason::ct_invalid, state(of::ct::kInv));
    emit.drop(Stage::state, kMiss, owner, Reason::ct_invalid, {});
}

void track_zone(Emit& emit, const ZoneView& zone) {
    Tracker tracker(emit, zone);
    for (const auto& network : zone.networks)
        tracker.network(network);
    tracker.routes();
    for (const auto& port : zone.ports)
        tracker.port(port);
    tracker.states();
}

} // namespace weft::fabric
