#include "pipeline/answer.hpp"

namespace weft::pipeline {
namespace {

constexpr std::uint32_t kSolicitedOverride = 0x60000000; // RFC 4861 section 4.4: S and O
constexpr std::uint32_t kRouterFlag = 0x80000000;        // R
constexpr std::uint8_t kEcho4 = 8, kEchoReply4 = 0, kEcho6 = 128, kEchoReply6 = 129;
constexpr std::uint8_t kTtl = 64;

} // namespace

of::Match asks_for(of::Match match, const Prefix& block) {
    const auto value = of::bits(block.network());
    const auto mask = of::bits(block.netmask());
    if (block.address.is_v4()) return std::move(match.arp_op(1).set(of::Field::arp_tpa, value, mask));
    return std::move(match.icmpv6(nd::kNeighbourSolicitation).set(of::Field::nd_target, value, mask));
}

of::Match asks_without_option(of::Match match, const Mac& mac) {
    return std::move(match.eth_dst(mac).icmpv6(nd::kNeighbourSolicitation).set(of::Field::nd_sll, 0));
}

of::Match says_it_has(of::Match match, const Ip& ip) {
    if (ip.is_v4()) return std::move(match.arp().set(of::Field::arp_spa, of::bits(ip)));
    return std::move(match.icmpv6(nd::kNeighbourAdvertisement).set(of::Field::nd_target, of::bits(ip)));
}

of::Actions back(WayIn way) {
    if (way == WayIn::local) return {of::move_field(kSource, kDestination), forget_in_port(), go_to(Stage::output)};
    return {load(WayOut::uplink), forget_in_port(), go_to(Stage::output)};
}

of::Actions arp_reply(const Mac& mac, WayIn way) {
    // The two addresses change places by way of a register that nothing uses before route.
    of::Actions actions{of::move_field(of::Field::eth_src, of::Field::eth_dst),
                        of::set_field(of::Field::eth_src, mac),
                        of::set_field(of::Field::arp_op, 2),
                        of::move_field(of::Field::arp_sha, of::Field::arp_tha),
                        of::set_field(of::Field::arp_sha, mac),
                        of::move_field(of::Field::arp_tpa, kNexthop4),
                        of::move_field(of::Field::arp_spa, of::Field::arp_tpa),
                        of::move_field(kNexthop4, of::Field::arp_spa)};
    of::append(actions, back(way));
    return actions;
}

of::Actions advertisement(const Mac& mac, const Ip& ip, bool router) {
    return {of::move_field(of::Field::eth_src, of::Field::eth_dst),
            of::set_field(of::Field::eth_src, mac),
            of::move_field(of::Field::ipv6_src, of::Field::ipv6_dst),
            of::set_field(of::Field::ipv6_src, of::bits(ip)),
            of::set_field(of::Field::nd_sll, mac),
            of::set_field(of::Field::icmpv6_type, nd::kNeighbourAdvertisement),
            of::set_field(of::Field::nd_reserved, kSolicitedOverride | (router ? kRouterFlag : 0)),
            of::set_field(of::Field::nd_options_type, 2),
            load(Answering::advertising),
            again_to(Stage::respond)};
}

of::Match half_advertised(WayIn way) {
    return std::move(of::Match()
                         .icmpv6(nd::kNeighbourAdvertisement)
                         .set(kAnswering, static_cast<std::uint64_t>(Answering::advertising))
                         .set(kWayIn, static_cast<std::uint64_t>(way)));
}

of::Actions finish_advertisement(WayIn way) {
    of::Actions actions{of::move_field(of::Field::eth_src, of::Field::nd_tll)};
    of::append(actions, back(way));
    return actions;
}

of::Match echo_request(of::Match match, const Ip& ip) {
    match.ip_dst(ip);
    if (ip.is_v6()) return std::move(match.icmpv6(kEcho6));
    return std::move(match.set(of::Field::ip_proto, of::ip_proto::kIcmp).set(of::Field::icmp_type, kEcho4));
}

of::Actions echo_reply(const Ip& ip, const Mac& mac) {
    const auto source = ip.is_v6() ? of::Field::ipv6_src : of::Field::ip_src;
    const auto target = ip.is_v6() ? of::Field::ipv6_dst : of::Field::ip_dst;
    const auto type = ip.is_v6() ? of::set_field(of::Field::icmpv6_type, kEchoReply6)
                                 : of::set_field(of::Field::icmp_type, kEchoReply4);
    return {of::move_field(of::Field::eth_src, of::Field::eth_dst),
            of::set_field(of::Field::eth_src, mac),
            of::move_field(source, target),
            of::set_field(source, of::bits(ip)),
            type,
            of::set_field(of::Field::ip_ttl, kTtl)};
}

} // namespace weft::pipeline
