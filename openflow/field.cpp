#include "openflow/field.hpp"

#include <array>

namespace weft::openflow {

namespace {
struct FieldFact {
    std::string_view name;
    unsigned width;
};

// In the order of Field; a test compares it with Open vSwitch's own table.
constexpr std::array<FieldFact, kFieldCount> kFields{{
    {"in_port", 32},       {"metadata", 64},      {"tun_id", 64},    {"tun_src", 32},     {"tun_dst", 32},
    {"tun_ipv6_src", 128}, {"tun_ipv6_dst", 128}, {"pkt_mark", 32},  {"ct_state", 32},    {"ct_zone", 16},
    {"ct_mark", 32},       {"ct_label", 128},     {"ct_nw_src", 32}, {"ct_nw_dst", 32},   {"ct_nw_proto", 8},
    {"ct_ipv6_src", 128},  {"ct_ipv6_dst", 128},  {"ct_tp_src", 16}, {"ct_tp_dst", 16},   {"reg0", 32},
    {"reg1", 32},          {"reg2", 32},          {"reg3", 32},      {"reg4", 32},        {"reg5", 32},
    {"reg6", 32},          {"reg7", 32},          {"reg8", 32},      {"reg9", 32},        {"reg10", 32},
    {"reg11", 32},         {"reg12", 32},         {"reg13", 32},     {"reg14", 32},       {"reg15", 32},
    {"xreg0", 64},         {"xreg1", 64},         {"xreg2", 64},     {"xreg3", 64},       {"xreg4", 64},
    {"xreg5", 64},         {"xreg6", 64},         {"xreg7", 64},     {"xxreg0", 128},     {"xxreg1", 128},
    {"xxreg2", 128},       {"xxreg3", 128},       {"conj_id", 32},   {"eth_dst", 48},     {"eth_src", 48},
    {"eth_type", 16},      {"vlan_tci", 16},      {"vlan_vid", 12},  {"vlan_pcp", 3},     {"ip_src", 32},
    {"ip_dst", 32},        {"ipv6_src", 128},     {"ipv6_dst", 128}, {"ipv6_label", 20},  {"ip_proto", 8},
    {"ip_dscp", 6},        {"ip_ecn", 2},         {"nw_ttl", 8},     {"ip_frag", 2},      {"arp_op", 16},
    {"arp_spa", 32},       {"arp_tpa", 32},       {"arp_sha", 48},   {"arp_tha", 48},     {"tcp_src", 16},
    {"tcp_dst", 16},       {"tcp_flags", 12},     {"udp_src", 16},   {"udp_dst", 16},     {"sctp_src", 16},
    {"sctp_dst", 16},      {"icmp_type", 8},      {"icmp_code", 8},  {"icmpv6_type", 8},  {"icmpv6_code", 8},
    {"nd_target", 128},    {"nd_sll", 48},        {"nd_tll", 48},    {"nd_reserved", 32}, {"nd_options_type", 8},
}};
} // namespace

std::string_view name_of(Field field) {
    return kFields[static_cast<std::size_t>(field)].name;
}

unsigned width_of(Field field) {
    return kFields[static_cast<std::size_t>(field)].width;
}

Bits full_mask(Field field) {
    const unsigned width = width_of(field);
    return width == 128 ? ~Bits{0} : (Bits{1} << width) - 1;
}

Bits bits(const Ip& ip) {
    Bits value = 0;
    for (std::uint8_t byte : ip.bytes())
        value = value << 8 | byte;
    return value;
}

} // namespace weft::openflow
