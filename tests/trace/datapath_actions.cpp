#include "tests/trace/datapath_actions.hpp"

#include "tests/trace/packet_text.hpp"

#include <cctype>
#include <fmt/format.h>
#include <optional>
#include <stdexcept>
#include <string>

namespace weft::openflow {
namespace {

struct Call {
    std::string_view name, arguments;
};

/// "name(arguments)", or a name alone.
Call call_of(std::string_view text) {
    const auto open = text.find('(');
    if (open == std::string_view::npos) return {text, {}};
    return {text.substr(0, open), text.substr(open + 1, text.rfind(')') - open - 1)};
}

/// The value of "key=value" or the arguments of "key(…)" in a list; at the outermost depth where there is one.
std::optional<std::string_view> find(std::string_view list, std::string_view key) {
    const auto parts = split(list);
    for (const auto part : parts) {
        const auto call = call_of(part);
        if (call.name == key && !call.arguments.empty()) return call.arguments;
        if (const auto equals = part.find('='); part.substr(0, equals) == key && equals != std::string_view::npos)
            return part.substr(equals + 1);
    }
    for (const auto part : parts)
        if (const auto call = call_of(part); !call.arguments.empty())
            if (const auto inside = find(call.arguments, key)) return inside;
    return std::nullopt;
}

const std::map<std::string_view, Field> kFields{
    {"eth.src", Field::eth_src},     {"eth.dst", Field::eth_dst},     {"ipv4.src", Field::ip_src},
    {"ipv4.dst", Field::ip_dst},     {"ipv4.ttl", Field::ip_ttl},     {"ipv6.src", Field::ipv6_src},
    {"ipv6.dst", Field::ipv6_dst},   {"ipv6.hlimit", Field::ip_ttl},  {"ipv6.label", Field::ipv6_label},
    {"tcp.src", Field::tcp_src},     {"tcp.dst", Field::tcp_dst},     {"udp.src", Field::udp_src},
    {"udp.dst", Field::udp_dst},     {"sctp.src", Field::sctp_src},   {"sctp.dst", Field::sctp_dst},
    {"icmp.type", Field::icmp_type}, {"icmp.code", Field::icmp_code}, {"icmpv6.type", Field::icmpv6_type},
    {"arp.sip", Field::arp_spa},     {"arp.tip", Field::arp_tpa},     {"arp.op", Field::arp_op},
    {"arp.sha", Field::arp_sha},     {"arp.tha", Field::arp_tha},     {"icmpv6.code", Field::icmpv6_code},
    {"nd.target", Field::nd_target}, {"nd.sll", Field::nd_sll},       {"nd.tll", Field::nd_tll},
};

} // namespace

void DatapathActions::run(std::string_view actions) {
    for (const auto action : split(actions)) {
        const auto [name, arguments] = call_of(action);
        one(name, arguments);
    }
}

void DatapathActions::one(std::string_view name, std::string_view arguments) {
    if (tunnelled_) return;
    if (std::isdigit(static_cast<unsigned char>(name.front())) != 0) {
        const auto port = ports_.find(static_cast<std::uint32_t>(parse_value(name)));
        if (port == ports_.end()) throw std::runtime_error(fmt::format("datapath port {}", name));
        outputs_.push_back({.port = port->second, .packet = packet_});
    } else if (name == "set") {
        set(arguments);
    } else if (name == "push_vlan") {
        inner_tags_.push_back(packet_.get(Field::vlan_tci));
        packet_.set(Field::vlan_tci, 0x1000);
        packet_.set(Field::vlan_vid, parse_value(find(arguments, "vid").value()));
        packet_.set(Field::vlan_pcp, parse_value(find(arguments, "pcp").value()));
    } else if (name == "pop_vlan") {
        packet_.set(Field::vlan_tci, inner_tags_.empty() ? 0 : inner_tags_.back());
        if (!inner_tags_.empty()) inner_tags_.pop_back();
    } else if (name == "check_pkt_len") {
        const bool larger = packet_.length > parse_value(find(arguments, "size").value());
        nested(find(arguments, larger ? "gt" : "le").value());
    } else if (name == "clone") {
        nested(arguments);
    } else if (name == "sample") {
        nested(find(arguments, "actions").value());
    } else if (name == "tnl_push") {
        push_tunnel(arguments);
    } else if (name == "userspace") {
        punt(arguments);
    } else if (name != "ct" && name != "ct_clear" && name != "recirc" && name != "meter" && name != "drop") {
        throw std::runtime_error(fmt::format("datapath action {}({})", name, arguments));
    }
}

void DatapathActions::nested(std::string_view actions) {
    auto copy = *this;
    copy.run(actions);
}

void DatapathActions::set(std::string_view what) {
    const auto [header, values] = call_of(what);
    for (const auto part : split(values)) {
        const auto equals = part.find('=');
        const auto key = part.substr(0, equals);
        const auto value = part.substr(equals + 1, part.find('/') - equals - 1); // a mask says what was looked at
        if (key == "tos" || key == "tclass") {
            packet_.set(Field::ip_dscp, parse_value(value) >> 2);
            packet_.set(Field::ip_ecn, parse_value(value));
        } else if (header == "nd_ext" && key.ends_with("reserved")) {
            packet_.set(Field::nd_reserved, parse_value(value));
        } else if (header == "nd_ext") {
            packet_.set(Field::nd_options_type, parse_value(value));
        } else if (const auto field = kFields.find(fmt::format("{}.{}", header, key)); field != kFields.end()) {
            packet_.set(field->second, parse_value(value));
        } else if (header != "skb_priority" && header != "skb_mark" && key != "proto" && key != "frag") {
            throw std::runtime_error(fmt::format("datapath action set({})", what));
        }
    }
}

void DatapathActions::push_tunnel(std::string_view arguments) {
    auto packet = packet_;
    packet.set(Field::tun_id, parse_value(find(arguments, "vni").value()));
    packet.set(Field::tun_dst, parse_value(find(find(arguments, "ipv4").value(), "dst").value()));
    const auto port = static_cast<std::uint32_t>(parse_value(find(arguments, "tnl_port").value()));
    outputs_.push_back({.port = ports_.at(port), .packet = packet});
    tunnelled_ = true;
}

void DatapathActions::punt(std::string_view arguments) {
    constexpr std::string_view kInvalidTtl = "2"; // OFPR_INVALID_TTL
    const bool expired = find(arguments, "reason") == kInvalidTtl;
    outputs_.push_back({.kind = expired ? Out::Kind::expired : Out::Kind::punted,
                        .cookie = static_cast<std::uint64_t>(parse_value(find(arguments, "rule_cookie").value())),
                        .packet = packet_});
}

} // namespace weft::openflow
