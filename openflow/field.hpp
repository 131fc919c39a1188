// The match fields that weft uses, by their names in ovs-fields(7). Values are integers in host order, whatever the
// width: a MAC is its 48-bit number, an IPv6 address its 128-bit number.
#pragma once
#include "base/address.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::openflow {

using Bits = unsigned __int128;

enum class Field : std::uint8_t {
    in_port,
    metadata,
    tun_id,
    tun_src,
    tun_dst,
    tun_ipv6_src,
    tun_ipv6_dst,
    pkt_mark,
    ct_state,
    ct_zone,
    ct_mark,
    ct_label,
    ct_nw_src,
    ct_nw_dst,
    ct_nw_proto,
    ct_ipv6_src,
    ct_ipv6_dst,
    ct_tp_src,
    ct_tp_dst,
    reg0,
    reg1,
    reg2,
    reg3,
    reg4,
    reg5,
    reg6,
    reg7,
    reg8,
    reg9,
    reg10,
    reg11,
    reg12,
    reg13,
    reg14,
    reg15,
    xreg0,
    xreg1,
    xreg2,
    xreg3,
    xreg4,
    xreg5,
    xreg6,
    xreg7,
    xxreg0,
    xxreg1,
    xxreg2,
    xxreg3,
    conj_id,
    eth_dst,
    eth_src,
    eth_type,
    vlan_tci,
    vlan_vid,
    vlan_pcp,
    ip_src,
    ip_dst,
    ipv6_src,
    ipv6_dst,
    ipv6_label,
    ip_proto,
    ip_dscp,
    ip_ecn,
    ip_ttl,
    ip_frag,
    arp_op,
    arp_spa,
    arp_tpa,
    arp_sha,
    arp_tha,
    tcp_src,
    tcp_dst,
    tcp_flags,
    udp_src,
    udp_dst,
    sctp_src,
    sctp_dst,
    icmp_type,
    icmp_code,
    icmpv6_type,
    icmpv6_code,
    nd_target,
    nd_sll,
    nd_tll,
    nd_reserved,
    nd_options_type,
};
inline constexpr std::size_t kFieldCount = static_cast<std::size_t>(Field::nd_options_type) + 1;

/// Name as in ovs-fields(7), for text ("nw_src" forms are accepted by the parser too).
std::string_view name_of(Field field);
/// Width in bits (ovs-fields(7)); vlan_vid is 12, ct_state 32, ip_frag 2.
unsigned width_of(Field field);
/// All ones at the field's width.
Bits full_mask(Field field);

inline Bits bits(const Mac& mac) {
    return mac.to_u64();
}
Bits bits(const Ip& ip);

} // namespace weft::openflow
