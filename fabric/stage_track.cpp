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
    kOther = 100,      // state: any other packet of a connection
    kTracked = 100,    // track
    kFromGateway = 110, // more than nat's 105
    kNew = 150,
    kEstablished = 200,
    kOwnRouter = 200,
    kInvalid = 300,
    kInvalidOf = 310,
    kSpecial = 300,
    kBeforeGateway = 400, // nat_in: more than any of nat's
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
            emit_.flow(Stage::track, kOwnRouter, owner_, here().ip_dst(ip), {go_to(Stage::route)});
        for (const auto way : {WayIn::local, WayIn::tunnel})
            track(kTracked, here().set(kWayIn, static_cast<std::uint64_t>(way)));
        if (network.physical) track(kTracked, from_wire(here()).multicast(true));
    }

    void port(const ZonePort& port) {
        const auto network = [&] { return of::Match().metadata(port.network.value); };
        if (port.physical) track(kTracked, from_wire(network()).eth_dst(port.mac));
        for (const auto& prefix : port.addresses) {
            if (zone_.edge) track(kTracked, from_wire(of::Match().set(kRouter, zone_.router->value)), prefix);
            if (zone_.gateway) track(kFromGateway, of::Match().set(kRouter, zone_.gateway->value), prefix);
        }
        // What it sends to a gateway here is judged before it is translated; then switch sends it back to nat_in.
        if (port.beside_gateway)
            for (const auto family : kFamilies)
                emit_.flow(Stage::nat_in, kBeforeGateway, owner_,
                           network().set(kSource, port.id.value).eth_type(family), {go_to(Stage::track)});
        const Owner owner{Kind::port, port.owner, {}};
        const auto from_port = [&](of::Match match) { return std::move(match.set(kSource, port.id.value)); };
        emit_.drop(Stage::state, kInvalidOf, owner, Reason::ct_invalid, from_port(state(of::ct::kInv)));
        if (port.ofport != 0)
            emit_.flow(Stage::state, kNew, owner,
                       from_port(state(of::ct::kNew)).set(of::Field::ct_zone, zone_.number),
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
    static of::Match from_wire(of::Match match) {
        return std::move(match.set(kWayIn, static_cast<std::uint64_t>(WayIn::uplink)));
    }
    void track(std::uint16_t priority, const of::Match& match) {
        for (const auto family : kFamilies)
            track_in(priority, of::Match(match).eth_type(family));
    }
    void track(std::uint16_t priority, of::Match match, const Prefix& to) {
        track_in(priority, std::move(match.ip_dst(to)));
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
    for (const auto& port : zone.ports)
        tracker.port(port);
    tracker.states();
}

} // namespace weft::fabric
