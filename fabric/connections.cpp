#include "fabric/connections.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::fabric {
namespace {

using of::Field;

struct Ports {
    Field source, target;
};

std::optional<Ports> ports_of(std::uint8_t protocol) {
    switch (protocol) {
    case of::ip_proto::kTcp:
        return Ports{Field::tcp_src, Field::tcp_dst};
    case of::ip_proto::kUdp:
        return Ports{Field::udp_src, Field::udp_dst};
    case of::ip_proto::kSctp:
        return Ports{Field::sctp_src, Field::sctp_dst};
    default:
        return std::nullopt;
    }
}

bool is_ip(const of::Packet& packet) {
    const auto type = packet.get(Field::eth_type);
    return type == of::eth_type::kIpv4 || type == of::eth_type::kIpv6;
}

void swap(of::Packet& packet, Field a, Field b) {
    const auto was = packet.get(a);
    packet.set(a, packet.get(b));
    packet.set(b, was);
}

constexpr std::uint8_t kEchoRequest = 8, kEchoReply = 0, kEchoRequest6 = 128, kEchoReply6 = 129;
constexpr of::Bits kSyn = 0x02, kAck = 0x10; // RFC 9293

/// An answer to nothing that the tracker knows is invalid (lib/conntrack-icmp.c and -tcp.c, valid_new).
bool may_begin(const of::Packet& packet) {
    switch (static_cast<std::uint8_t>(packet.get(Field::ip_proto))) {
    case of::ip_proto::kIcmp:
        return packet.get(Field::icmp_type) == kEchoRequest;
    case of::ip_proto::kIcmpv6:
        return packet.get(Field::icmpv6_type) == kEchoRequest6;
    case of::ip_proto::kTcp:
        return packet.get(Field::tcp_flags) != (kSyn | kAck);
    default:
        return true;
    }
}

} // namespace

of::Tracker& Connections::at(const std::string& host) {
    return hosts_.try_emplace(host, assumed).first->second;
}

Connections::Tuple Connections::tuple_of(const of::Packet& packet) {
    Tuple tuple;
    tuple.v6 = packet.get(Field::eth_type) == of::eth_type::kIpv6;
    tuple.protocol = static_cast<std::uint8_t>(packet.get(Field::ip_proto));
    tuple.source = packet.get(tuple.v6 ? Field::ipv6_src : Field::ip_src);
    tuple.target = packet.get(tuple.v6 ? Field::ipv6_dst : Field::ip_dst);
    if (const auto ports = ports_of(tuple.protocol)) {
        tuple.source_port = static_cast<std::uint16_t>(packet.get(ports->source));
        tuple.target_port = static_cast<std::uint16_t>(packet.get(ports->target));
    }
    return tuple;
}

void Connections::put(const Tuple& tuple, of::Packet& packet) {
    packet.set(tuple.v6 ? Field::ipv6_src : Field::ip_src, tuple.source);
    packet.set(tuple.v6 ? Field::ipv6_dst : Field::ip_dst, tuple.target);
    if (const auto ports = ports_of(tuple.protocol)) {
        packet.set(ports->source, tuple.source_port);
        packet.set(ports->target, tuple.target_port);
    }
}

Connections::Tuple Connections::reversed(const Tuple& tuple) {
    auto other = tuple;
    std::swap(other.source, other.target);
    std::swap(other.source_port, other.target_port);
    return other;
}

of::Packet Connections::answer_to(const of::Packet& packet) {
    of::Packet answer;
    for (const auto field : {Field::eth_type, Field::eth_src, Field::eth_dst, Field::vlan_tci, Field::ip_proto,
                             Field::icmp_type, Field::icmp_code, Field::icmpv6_type, Field::icmpv6_code})
        answer.set(field, packet.get(field));
    swap(answer, Field::eth_src, Field::eth_dst);
    put(reversed(tuple_of(packet)), answer);
    answer.set(Field::ip_ttl, 64);
    answer.length = packet.length;
    if (answer.get(Field::ip_proto) == of::ip_proto::kTcp) answer.set(Field::tcp_flags, kSyn | kAck);
    if (answer.get(Field::ip_proto) == of::ip_proto::kIcmp && answer.get(Field::icmp_type) == kEchoRequest)
        answer.set(Field::icmp_type, kEchoReply);
    if (answer.get(Field::ip_proto) == of::ip_proto::kIcmpv6 && answer.get(Field::icmpv6_type) == kEchoRequest6)
        answer.set(Field::icmpv6_type, kEchoReply6);
    return answer;
}

void Connections::At::translate(const of::Nat& nat, Connection& connection) {
    if (!nat.first) return;
    auto translated = connection.original;
    const bool source = nat.kind == of::Nat::Kind::source;
    (source ? translated.source : translated.target) = of::bits(*nat.first);
    if (nat.last && *nat.last != *nat.first)
        assumed_.push_back(fmt::format("{} of {}-{}, which Open vSwitch chooses from by a hash", nat.first->to_string(),
                                       nat.first->to_string(), nat.last->to_string()));
    auto& port = source ? translated.source_port : translated.target_port;
    // A port in the range is kept while nobody else has it (ovs-actions(7), nat).
    if (ports_of(translated.protocol) && nat.port_first != 0 && (port < nat.port_first || port > nat.port_last))
        port = nat.port_first;
    (source ? connection.source_translated : connection.target_translated) = true;
    connection.reply = reversed(translated);
}

Connections::Connection Connections::begun_by(const of::Packet& packet) {
    const auto tuple = tuple_of(packet);
    return {.original = tuple,
            .reply = reversed(tuple),
            .icmp_type = static_cast<std::uint8_t>(packet.get(tuple.v6 ? Field::icmpv6_type : Field::icmp_type)),
            .icmp_code = static_cast<std::uint8_t>(packet.get(tuple.v6 ? Field::icmpv6_code : Field::icmp_code))};
}

std::uint32_t Connections::At::rewrite(const Connection& connection, bool reply, of::Packet& packet) {
    if (!connection.source_translated && !connection.target_translated) return 0;
    // What comes in one direction leaves as the other direction's tuple reversed.
    put(reversed(reply ? connection.original : connection.reply), packet);
    // The answer to what had its source translated has its target translated, and the other way round.
    const bool source = reply ? connection.target_translated : connection.source_translated;
    const bool target = reply ? connection.source_translated : connection.target_translated;
    return (source ? of::ct::kSnat : 0) | (target ? of::ct::kDnat : 0);
}

void Connections::At::track(const of::Ct& action, std::uint16_t zone, of::Packet& packet) {
    packet.set(Field::ct_zone, zone);
    if (!is_ip(packet)) {
        packet.set(Field::ct_state, of::ct::kTrk | of::ct::kInv);
        return;
    }
    auto& known = zones_[zone];
    const auto tuple = tuple_of(packet);
    const auto found = std::ranges::find_if(
        known, [&](const Connection& c) { return c.original == tuple || c.reply == tuple; });
    Connection fresh = begun_by(packet);
    Connection* connection = &fresh;
    const bool is_known = found != known.end();
    if (is_known) {
        connection = &*found;
    } else if (!may_begin(packet)) {
        packet.set(Field::ct_state, of::ct::kTrk | of::ct::kInv);
        return;
    } else if (action.commit) {
        if (action.nat && action.nat->kind != of::Nat::Kind::restore) translate(*action.nat, fresh);
        connection = &known.emplace_back(fresh);
    }
    const bool reply = is_known && connection->original != tuple;
    if (reply) connection->answered = true;
    auto state = of::ct::kTrk | (connection->answered ? of::ct::kEst : of::ct::kNew);
    if (reply) state |= of::ct::kRpl;
    if (action.commit)
        for (const auto& set : action.exec) {
            auto& kept = set.field == Field::ct_mark ? connection->mark : connection->label;
            kept = (kept & ~set.mask) | (set.value & set.mask);
        }
    if (action.nat) state |= rewrite(*connection, reply, packet);
    packet.set(Field::ct_state, state);
    packet.set(Field::ct_mark, connection->mark);
    packet.set(Field::ct_label, connection->label);
    const auto& original = connection->original;
    packet.set(original.v6 ? Field::ct_ipv6_src : Field::ct_nw_src, original.source);
    packet.set(original.v6 ? Field::ct_ipv6_dst : Field::ct_nw_dst, original.target);
    packet.set(Field::ct_nw_proto, original.protocol);
    // Of ICMP these are type and code (lib/conntrack.c, pkt_metadata_init).
    const bool ports = ports_of(original.protocol).has_value();
    packet.set(Field::ct_tp_src, ports ? original.source_port : connection->icmp_type);
    packet.set(Field::ct_tp_dst, ports ? original.target_port : connection->icmp_code);
}

} // namespace weft::fabric
