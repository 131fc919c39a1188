// respond: ARP requests and neighbour solicitations for bound ports are answered on the sender's host, so they never
// flood. Only questions of local ports: the wire's are flooded to local ports, and VMs answer for themselves. The
// owner's own question (duplicate address detection) is not answered: it passes on, so that a real duplicate can speak
// up.
//
// What guests ask for addresses and names (DHCP, DHCPv6, router solicitations, DNS) the daemon answers, where the
// network serves that. Each port asks through a meter of its own.
//
// Where the datapath cannot rewrite ND options (Linux: no nd_ext), a solicitation goes to the target alone, which
// answers.
#include "fabric/special.hpp"
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
    kSecondPass = 130,
    kQuestion = 140,
    kMayAsk = 150,
};
constexpr std::uint16_t kDns = 53;

of::Match asked_by_local(const NetworkCore& network) {
    return of::Match().metadata(network.id.value).set(kWayIn, static_cast<std::uint64_t>(WayIn::local));
}

of::Match from_wire(const NetworkCore& network) {
    return of::Match().metadata(network.id.value).set(kWayIn, static_cast<std::uint64_t>(WayIn::uplink));
}

/// Addresses of weft's own in a network.
struct Own {
    Mac mac;
    std::vector<Ip> addresses;
    bool router; ///< says so in its advertisements
    Owner owner;
};

/// Who asks for them is told.
void answer_for(Emit& emit, const of::Match& asker, WayIn way, const Own& own) {
    bool ip6 = false;
    for (const auto& ip : own.addresses) {
        of::Actions answer;
        if (ip.is_v4())
            answer = arp_reply(own.mac, way);
        else if (emit.host.facts.nd_ext)
            answer = advertisement(own.mac, ip, own.router);
        else
            answer = {punt(Punt::solicitation)};
        emit.flow(Stage::respond, kAnswer, own.owner, asks_for(asker, Prefix::host(ip)), std::move(answer));
        ip6 = ip6 || ip.is_v6();
    }
    // A datapath can rewrite an option, but not add one.
    if (ip6)
        emit.flow(Stage::respond, kUnicast, own.owner, asks_without_option(asker, own.mac), {punt(Punt::solicitation)});
}

/// What the daemon answers goes back to respond first, for the flow and the meter of the port that asks.
void questions(Emit& emit, const NetworkCore& network, const Service& service) {
    const auto ask = [&](const of::Match& question, of::Actions then = {}) {
        of::Actions actions{load(Answering::asking), again_to(Stage::respond)};
        of::append(actions, then);
        emit.flow(Stage::respond, kQuestion, owner_of(network),
                  both(asked_by_local(network).set(kAnswering, static_cast<std::uint64_t>(Answering::no)), question),
                  std::move(actions));
    };
    for (const auto& question : address_questions(network.subnet.has_value(), network.subnet6.has_value()))
        ask(question);
    // On a wire without a router of weft's there may be another, which is asked too.
    const bool others = network.physical() && !network.routed;
    if (network.subnet6 && others)
        ask(router_solicitation(), {load(Answering::no), go_on_after(Stage::respond)});
    else if (network.subnet6)
        ask(router_solicitation());
    for (const auto& ip : service.addresses) {
        ask(of::Match().ip_dst(ip).udp().set(of::Field::udp_dst, kDns));
        ask(of::Match().ip_dst(ip).tcp().set(of::Field::tcp_dst, kDns));
    }
}

/// Without a router nobody else answers for the service's addresses: to who asks for them, and to ping.
void service_addresses(Emit& emit, const NetworkCore& network, const Service& service) {
    answer_for(emit, asked_by_local(network), WayIn::local, {service.mac, service.addresses, false, owner_of(network)});
    for (const auto& ip : service.addresses) {
        auto reply = echo_reply(ip, service.mac);
        of::append(reply, back(WayIn::local));
        emit.flow(Stage::respond, kAnswer, owner_of(network), echo_request(asked_by_local(network), ip),
                  std::move(reply));
    }
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
    if (network.service) questions(emit, network, *network.service);
    if (!network.routed) {
        if (network.service) service_addresses(emit, network, *network.service);
        return;
    }
    const auto& leg = *network.routed;
    const Own router{leg.mac, leg.addresses(), true, {Kind::router, leg.router, {}}};
    answer_for(emit, asked_by_local(network), WayIn::local, router);
    if (network.edge != emit.host.name) return;
    // The edge alone answers the wire, and hears the answers to what it asked there.
    answer_for(emit, from_wire(network), WayIn::uplink, router);
    emit.flow(Stage::respond, kHeard, router.owner, from_wire(network).arp_op(2).eth_dst(leg.mac),
              {punt(Punt::neighbour)});
    emit.flow(Stage::respond, kHeard, router.owner,
              from_wire(network).icmpv6(nd::kNeighbourAdvertisement).eth_dst(leg.mac), {punt(Punt::neighbour)});
}

void respond_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment) {
    const auto owner = owner_of(attachment);
    const auto by_owner = of::Match().set(kSource, attachment.id.value);
    if (is_plugged(emit, attachment)) {
        const auto meter = port_service_meter(attachment.binding.ofport);
        if (attachment.served)
            emit.meter({.id = meter, .packets = true, .rate = kPortServiceRate, .burst = kPortServiceBurst});
        if (network.service)
            emit.flow(Stage::respond, kMayAsk, owner,
                      of::Match(by_owner).set(kAnswering, static_cast<std::uint64_t>(Answering::asking)),
                      {of::Meter{meter}, punt(Punt::service)});
    }
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
