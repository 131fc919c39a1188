#include "tests/trace/packet_text.hpp"

#include <charconv>
#include <fmt/format.h>
#include <map>
#include <stdexcept>

namespace weft::openflow {
namespace {

/// A prerequisite stands before what needs it. Aliases are not here: their storage is.
constexpr std::array kInOrder{
    Field::in_port,
    Field::metadata,
    Field::reg0,
    Field::reg1,
    Field::reg2,
    Field::reg3,
    Field::reg4,
    Field::reg5,
    Field::reg6,
    Field::reg7,
    Field::reg8,
    Field::reg9,
    Field::reg10,
    Field::reg11,
    Field::reg12,
    Field::reg13,
    Field::reg14,
    Field::reg15,
    Field::tun_id,
    Field::tun_src,
    Field::tun_dst,
    Field::tun_ipv6_src,
    Field::tun_ipv6_dst,
    Field::pkt_mark,
    Field::eth_src,
    Field::eth_dst,
    Field::vlan_tci,
    Field::eth_type,
    Field::ip_proto,
    Field::ip_frag,
    Field::ip_src,
    Field::ip_dst,
    Field::ipv6_src,
    Field::ipv6_dst,
    Field::ipv6_label,
    Field::ip_dscp,
    Field::ip_ecn,
    Field::ip_ttl,
    Field::tcp_src,
    Field::tcp_dst,
    Field::udp_src,
    Field::udp_dst,
    Field::sctp_src,
    Field::sctp_dst,
    Field::icmp_type,
    Field::icmp_code,
    Field::icmpv6_type,
    Field::icmpv6_code,
    Field::nd_target,
    Field::nd_sll,
    Field::nd_tll,
    Field::nd_reserved,
    Field::nd_options_type,
    Field::arp_op,
    Field::arp_spa,
    Field::arp_tpa,
    Field::arp_sha,
    Field::arp_tha,
    Field::ct_state,
    Field::ct_zone,
    Field::ct_mark,
    Field::ct_label,
    Field::ct_nw_src,
    Field::ct_nw_dst,
    Field::ct_ipv6_src,
    Field::ct_ipv6_dst,
    Field::ct_nw_proto,
    Field::ct_tp_src,
    Field::ct_tp_dst,
};

const std::map<Bits, std::string_view> kCtStates{{ct::kNew, "new"},   {ct::kEst, "est"},  {ct::kRel, "rel"},
                                                 {ct::kRpl, "rpl"},   {ct::kInv, "inv"},  {ct::kTrk, "trk"},
                                                 {ct::kSnat, "snat"}, {ct::kDnat, "dnat"}};

const std::map<std::string_view, std::pair<Bits, Bits>> kProtocols{
    {"ip", {eth_type::kIpv4, 0}},
    {"icmp", {eth_type::kIpv4, ip_proto::kIcmp}},
    {"tcp", {eth_type::kIpv4, ip_proto::kTcp}},
    {"udp", {eth_type::kIpv4, ip_proto::kUdp}},
    {"sctp", {eth_type::kIpv4, ip_proto::kSctp}},
    {"ipv6", {eth_type::kIpv6, 0}},
    {"icmp6", {eth_type::kIpv6, ip_proto::kIcmpv6}},
    {"tcp6", {eth_type::kIpv6, ip_proto::kTcp}},
    {"udp6", {eth_type::kIpv6, ip_proto::kUdp}},
    {"sctp6", {eth_type::kIpv6, ip_proto::kSctp}},
    {"arp", {eth_type::kArp, 0}},
};

/// Names of nicira-ext.h and OpenFlow 1.0, which Open vSwitch prints, of fields that mean the same.
const std::map<std::string_view, Field> kOldNames{
    {"dl_src", Field::eth_src}, {"dl_dst", Field::eth_dst},    {"dl_type", Field::eth_type}, {"nw_src", Field::ip_src},
    {"nw_dst", Field::ip_dst},  {"nw_proto", Field::ip_proto}, {"nw_ecn", Field::ip_ecn},    {"nw_ttl", Field::ip_ttl}};

bool is_mac(Field field) {
    return field == Field::eth_src || field == Field::eth_dst || field == Field::arp_sha || field == Field::arp_tha ||
           field == Field::nd_sll || field == Field::nd_tll;
}
bool is_ipv4(Field field) {
    return field == Field::tun_src || field == Field::tun_dst || field == Field::ct_nw_src ||
           field == Field::ct_nw_dst || field == Field::ip_src || field == Field::ip_dst || field == Field::arp_spa ||
           field == Field::arp_tpa;
}

Ip ipv6(Bits value) {
    std::array<std::uint8_t, 16> bytes{};
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, value >>= 8)
        *byte = static_cast<std::uint8_t>(value);
    return Ip::v6(bytes);
}

std::string value_text(Field field, Bits value) {
    if (is_mac(field)) return Mac::from_u64(static_cast<std::uint64_t>(value)).to_string();
    if (is_ipv4(field)) return Ip::v4(static_cast<std::uint32_t>(value)).to_string();
    if (field == Field::ct_state) return ct_state_text(value);
    if (field == Field::in_port) return fmt::format("{}", static_cast<std::uint32_t>(value));
    if (field == Field::ip_frag) return value == 1 ? "first" : "later";
    if (width_of(field) == 128 && field != Field::ct_label) return ipv6(value).to_string();
    return fmt::format("0x{:x}", static_cast<std::uint64_t>(value));
}

std::optional<Field> field_named(std::string_view name) {
    if (const auto old = kOldNames.find(name); old != kOldNames.end()) return old->second;
    for (const auto field : kInOrder)
        if (name_of(field) == name) return field;
    return std::nullopt;
}

void parse_pair(Packet& packet, std::string_view key, std::string_view value) {
    const auto proto = packet.get(Field::ip_proto);
    if (key == "nw_frag")
        packet.set(Field::ip_frag, value == "no" ? 0 : value == "first" ? 1 : 3);
    else if (key == "ct_state")
        packet.set(Field::ct_state, parse_ct_state(value));
    else if (key == "dl_vlan")
        packet.set(Field::vlan_tci, 0x1000 | parse_value(value), 0x1fff);
    else if (key == "dl_vlan_pcp")
        packet.set(Field::vlan_pcp, parse_value(value));
    else if (key == "nw_tos")
        packet.set(Field::ip_dscp, parse_value(value) >> 2);
    else if (key == "tp_src" || key == "icmp_type")
        packet.set(port_field(proto, false), parse_value(value));
    else if (key == "tp_dst" || key == "icmp_code")
        packet.set(port_field(proto, true), parse_value(value));
    else if (key == "in_port" && value == "LOCAL")
        packet.set(Field::in_port, ofport::kLocal);
    else if (const auto field = field_named(key))
        packet.set(*field, parse_value(value));
}

} // namespace

Field port_field(Bits proto, bool target) {
    switch (static_cast<std::uint8_t>(proto)) {
    case ip_proto::kTcp:
        return target ? Field::tcp_dst : Field::tcp_src;
    case ip_proto::kUdp:
        return target ? Field::udp_dst : Field::udp_src;
    case ip_proto::kSctp:
        return target ? Field::sctp_dst : Field::sctp_src;
    case ip_proto::kIcmp:
        return target ? Field::icmp_code : Field::icmp_type;
    default:
        return target ? Field::icmpv6_code : Field::icmpv6_type;
    }
}

std::string ct_state_text(Bits state) {
    std::string text;
    for (const auto& [bit, name] : kCtStates)
        if ((state & bit) != 0) text += fmt::format("{}{}", text.empty() ? "" : "|", name);
    return text;
}

Bits parse_ct_state(std::string_view text) {
    Bits state = 0;
    for (const auto word : split(text, '|'))
        for (const auto& [bit, name] : kCtStates)
            if (word == name) state |= bit;
    return state;
}

std::string trace_text(const Packet& packet) {
    std::string text;
    for (const auto field : kInOrder)
        if (const auto value = packet.get(field); value != 0)
            text += fmt::format("{}{}={}", text.empty() ? "" : ",", name_of(field), value_text(field, value));
    return text;
}

Packet parse_packet(std::string_view flow) {
    Packet packet;
    for (const auto part : split(flow)) {
        const auto equals = part.find('=');
        if (equals != std::string_view::npos) {
            parse_pair(packet, part.substr(0, equals), part.substr(equals + 1));
        } else if (const auto protocol = kProtocols.find(part); protocol != kProtocols.end()) {
            packet.set(Field::eth_type, protocol->second.first);
            packet.set(Field::ip_proto, protocol->second.second);
        }
    }
    return packet;
}

Bits parse_value(std::string_view text) {
    if (const auto mac = Mac::parse(text)) return bits(*mac);
    if (const auto ip = Ip::parse(text)) return bits(*ip);
    const bool hex = text.starts_with("0x");
    if (hex) text.remove_prefix(2);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, hex ? 16 : 10);
    if (error != std::errc{} || end != text.data() + text.size())
        throw std::runtime_error(fmt::format("no value: {}", text));
    return number;
}

std::vector<std::string_view> split(std::string_view list, char separator) {
    std::vector<std::string_view> parts;
    int depth = 0;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < list.size(); ++at) {
        if (list[at] == '(') ++depth;
        if (list[at] == ')') --depth;
        if (list[at] != separator || (depth != 0 && separator == ',')) continue;
        parts.push_back(list.substr(begin, at - begin));
        begin = at + 1;
    }
    if (begin < list.size()) parts.push_back(list.substr(begin));
    return parts;
}

} // namespace weft::openflow
