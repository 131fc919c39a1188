// respond: ARP requests and neighbour solicitations for bound ports are answered on the sender's host, so they never
// flood. Only questions of local ports: the wire's are flooded to local ports, and VMs answer for themselves. The
// owner's own question (duplicate address detection) is not answered: it passes on, so that a real duplicate can speak
// up.
//
// Where the datapath cannot rewrite ND options (Linux: no nd_ext), a solicitation goes to the target alone, which
// answers.
#include "fabric/stages.hpp"

namespace weft::fabric {

using pipeline::Stage;
using pipeline::WayIn;

namespace {

enum Priority : std::uint16_t { kMiss = 0, kAnswer = 100, kNoOption = 110, kOwner = 120, kSecondPass = 130 };
constexpr std::uint8_t kNeighbourSolicitation = 135, kNeighbourAdvertisement = 136;
constexpr std::uint32_t kSolicitedOverride = 0x60000000; // RFC 4861 section 4.4: S and O, not R

of::Match asked_by_local(const NetworkCore& network) {
    return of::Match().metadata(network.id.value).set(kWayIn, static_cast<std::uint64_t>(WayIn::local));
}
of::Match arp_request(of::Match match, const Ip& target) {
    return std::move(match.arp_op(1).set(of::Field::arp_tpa, of::bits(target)));
}
of::Match solicitation(of::Match match, const Ip& target) {
    return std::move(match.icmpv6(kNeighbourSolicitation).set(of::Field::nd_target, of::bits(target)));
}

/// Back to where the question came from, through output as any other packet.
void return_to_sender(of::Actions& actions) {
    actions.emplace_back(of::move_field(kSource, kDestination));
    actions.emplace_back(forget_in_port());
    actions.emplace_back(go_to(Stage::output));
}

of::Actions arp_reply(const Mac& mac, const Ip& ip) {
    of::Actions actions{of::move_field(of::Field::eth_src, of::Field::eth_dst),
                        of::set_field(of::Field::eth_src, mac),
                        of::set_field(of::Field::arp_op, 2),
                        of::move_field(of::Field::arp_sha, of::Field::arp_tha),
                        of::set_field(of::Field::arp_sha, mac),
                        of::move_field(of::Field::arp_spa, of::Field::arp_tpa),
                        of::set_field(of::Field::arp_spa, of::bits(ip))};
    return_to_sender(actions);
    return actions;
}

/// The first pass of an answer. OpenFlow lets an action set nd_tll only where the match says that the packet is an
/// advertisement, which this one becomes here: the second pass (kAnswering) sets it.
of::Actions advertisement(const Mac& mac, const Ip& ip) {
    return {of::move_field(of::Field::eth_src, of::Field::eth_dst),
            of::set_field(of::Field::eth_src, mac),
            of::move_field(of::Field::ipv6_src, of::Field::ipv6_dst),
            of::set_field(of::Field::ipv6_src, of::bits(ip)),
            of::set_field(of::Field::nd_sll, mac),
            of::set_field(of::Field::icmpv6_type, kNeighbourAdvertisement),
            of::set_field(of::Field::nd_reserved, kSolicitedOverride),
            of::set_field(of::Field::nd_options_type, 2),
            load(kAnswering, 1),
            of::Resubmit{pipeline::table_of(Stage::respond)}};
}

void finish_advertisement(Emit& emit) {
    of::Actions actions{of::move_field(of::Field::eth_src, of::Field::nd_tll)};
    return_to_sender(actions);
    emit.flow(Stage::respond, kSecondPass, owner_of(emit.host),
              of::Match().icmpv6(kNeighbourAdvertisement).set(kAnswering, 1), std::move(actions));
}

} // namespace

void respond_host(Emit& emit) {
    if (emit.host.facts.nd_ext) finish_advertisement(emit);
    emit.flow(Stage::respond, kMiss, owner_of(emit.host), {}, {go_on_after(Stage::respond)});
    // Without a source link-layer option (duplicate address detection of another port) there is nobody to answer to.
    emit.flow(Stage::respond, kNoOption, owner_of(emit.host),
              of::Match().icmpv6(kNeighbourSolicitation).set(of::Field::nd_sll, 0), {go_on_after(Stage::respond)});
}

void respond_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment) {
    const auto owner = owner_of(attachment);
    const auto by_owner = of::Match().set(kSource, attachment.id.value);
    for (const auto& ip : attachment.ips) {
        const auto question = [&ip](of::Match match) {
            return ip.is_v6() ? solicitation(std::move(match), ip) : arp_request(std::move(match), ip);
        };
        of::Actions answer;
        if (ip.is_v4())
            answer = arp_reply(attachment.mac, ip);
        else if (emit.host.facts.nd_ext)
            answer = advertisement(attachment.mac, ip);
        else
            answer = {of::set_field(of::Field::eth_dst, attachment.mac), go_on_after(Stage::respond)};
        emit.flow(Stage::respond, kAnswer, owner, question(asked_by_local(network)), std::move(answer));
        if (is_local(emit, attachment))
            emit.flow(Stage::respond, kOwner, owner, question(by_owner), {go_on_after(Stage::respond)});
    }
}

} // namespace weft::fabric
