// respond: ARP requests and neighbour solicitations for bound ports are answered on the sender's host, so they never
// flood. Only questions of local ports: the wire's are flooded to local ports, and VMs answer for themselves. The
// owner's own question (duplicate address detection) is not answered: it passes on, so that a real duplicate can speak
// up.
//
// Where the datapath cannot rewrite ND options (Linux: no nd_ext), a solicitation goes to the target alone, which
// answers.
#include "fabric/stages.hpp"
#include "pipeline/answer.hpp"

namespace weft::fabric {

namespace {

enum Priority : std::uint16_t {
    kMiss = 0,
    kHeard = 80,
    kAnswer = 100,
    kNoOption = 110,
    kUnicast = 115,
    kOwner = 120,
    kSecondPass = 130
};

of::Match asked_by_local(const NetworkCore& network) {
    return of::Match().metadata(network.id.value).set(kWayIn, static_cast<std::uint64_t>(WayIn::local));
}

of::Match from_wire(const NetworkCore& network) {
    return of::Match().metadata(network.id.value).set(kWayIn, static_cast<std::uint64_t>(WayIn::uplink));
}

} // namespace

void respond_host(Emit& emit) {
    if (emit.host.facts.nd_ext)
        for (const auto way : {WayIn::local, WayIn::uplink})
            emit.flow(Stage::respond, kSecondPass, owner_of(emit.host), half_advertised(way),
                      finish_advertisement(way));
    emit.flow(Stage::respond, kMiss, owner_of(emit.host), {}, {go_on_after(Stage::respond)});
    // Without a source link-layer option (duplicate address detection of another port) there is nobody to answer to.
    emit.flow(Stage::respond, kNoOption, owner_of(emit.host),
              of::Match().icmpv6(nd::kNeighbourSolicitation).set(of::Field::nd_sll, 0), {go_on_after(Stage::respond)});
}

void respond_network(Emit& emit, const NetworkCore& network) {
    if (emit.host.translating.contains(network.name))
        for (const auto& ip : network.nexthops)
            emit.flow(Stage::respond, kHeard, owner_of(network), says_it_has(from_wire(network), ip),
                      {punt(Punt::neighbour), go_on_after(Stage::respond)});
    if (!network.routed) return;
    const auto& leg = *network.routed;
    const Owner owner{Kind::router, leg.router, {}};
    const auto answer = [&](const Ip& ip, WayIn way) -> of::Actions {
        if (ip.is_v4()) return arp_reply(leg.mac, way);
        if (emit.host.facts.nd_ext) return advertisement(leg.mac, ip, true);
        return {punt(Punt::solicitation)};
    };
    // A datapath can rewrite an option, but not add one.
    const auto unicast = [&](of::Match match) {
        if (leg.gateway6)
            emit.flow(Stage::respond, kUnicast, owner, asks_without_option(std::move(match), leg.mac),
                      {punt(Punt::solicitation)});
    };
    for (const auto& ip : leg.addresses())
        emit.flow(Stage::respond, kAnswer, owner, asks_for(asked_by_local(network), Prefix::host(ip)),
                  answer(ip, WayIn::local));
    unicast(asked_by_local(network));
    if (network.edge != emit.host.name) return;
    // The edge alone answers the wire, and hears the answers to what it asked there.
    for (const auto& ip : leg.addresses())
        emit.flow(Stage::respond, kAnswer, owner, asks_for(from_wire(network), Prefix::host(ip)),
                  answer(ip, WayIn::uplink));
    unicast(from_wire(network));
    emit.flow(Stage::respond, kHeard, owner, from_wire(network).arp_op(2).eth_dst(leg.mac), {punt(Punt::neighbour)});
    emit.flow(Stage::respond, kHeard, owner, from_wire(network).icmpv6(nd::kNeighbourAdvertisement).eth_dst(leg.mac),
              {punt(Punt::neighbour)});
}

void respond_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment) {
    const auto owner = owner_of(attachment);
    const auto by_owner = of::Match().set(kSource, attachment.id.value);
    for (const auto& ip : attachment.ips) {
        const auto question = [&ip](of::Match match) { return asks_for(std::move(match), Prefix::host(ip)); };
        of::Actions answer;
        if (ip.is_v4())
            answer = arp_reply(attachment.mac, WayIn::local);
        else if (emit.host.facts.nd_ext)
            answer = advertisement(attachment.mac, ip, false);
        else
            answer = {of::set_field(of::Field::eth_dst, attachment.mac), go_on_after(Stage::respond)};
        emit.flow(Stage::respond, kAnswer, owner, question(asked_by_local(network)), std::move(answer));
        if (is_local(emit, attachment))
            emit.flow(Stage::respond, kOwner, owner, question(by_owner), {go_on_after(Stage::respond)});
    }
}

} // namespace weft::fabric
