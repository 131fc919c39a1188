#include "openflow/frame.hpp"

#include <algorithm>

namespace weft::openflow {
namespace {

constexpr std::size_t kAddresses = 12, kEtherType = 2, kIpv4Header = 20, kIpv6Header = 40, kArp = 28, kNdTarget = 24;
/// ip_frag (ovs-fields(7)): a fragment; not the first one.
constexpr unsigned kFragment = 1, kLater = 2;

class Reader {
  public:
    Reader(std::span<const std::byte> bytes, Packet& packet) : rest_(bytes), packet_(packet) {}

    bool has(std::size_t n) const { return rest_.size() >= n; }
    Bits number(std::size_t at, std::size_t bytes) const {
        Bits value = 0;
        for (std::size_t i = 0; i < bytes; ++i)
            value = value << 8 | static_cast<std::uint8_t>(rest_[at + i]);
        return value;
    }
    /// As wide as the field.
    void take(Field field, std::size_t at) { packet_.set(field, number(at, (width_of(field) + 7) / 8)); }
    void skip(std::size_t n) { rest_ = rest_.subspan(std::min(n, rest_.size())); }
    void limit(std::size_t n) { rest_ = rest_.first(std::min(n, rest_.size())); }

    void ethernet() {
        take(Field::eth_dst, 0);
        take(Field::eth_src, 6);
        skip(kAddresses);
        auto type = number(0, kEtherType);
        if ((type == eth_type::kVlan || type == eth_type::kSvlan) && has(2 * kEtherType + 2)) {
            packet_.set(Field::vlan_tci, number(2, 2) | 0x1000);
            skip(4);
            type = number(0, kEtherType);
        }
        skip(kEtherType);
        packet_.set(Field::eth_type, type);
        if (type == eth_type::kArp) arp();
        if (type == eth_type::kIpv4) ipv4();
        if (type == eth_type::kIpv6) ipv6();
    }

  private:
    void arp() {
        if (!has(kArp)) return;
        take(Field::arp_op, 6);
        take(Field::arp_sha, 8);
        take(Field::arp_spa, 14);
        take(Field::arp_tha, 18);
        take(Field::arp_tpa, 24);
    }

    void ipv4() {
        if (!has(kIpv4Header)) return;
        const auto header = static_cast<std::size_t>(number(0, 1) & 0xf) * 4;
        const auto total = static_cast<std::size_t>(number(2, 2));
        if (header < kIpv4Header || !has(header) || total < header) return;
        limit(total);
        traffic_class(static_cast<unsigned>(number(1, 1)));
        take(Field::ip_ttl, 8);
        take(Field::ip_proto, 9);
        take(Field::ip_src, 12);
        take(Field::ip_dst, 16);
        const auto fragment = static_cast<unsigned>(number(6, 2));
        const bool later = (fragment & 0x1fff) != 0;
        if (later || (fragment & 0x2000) != 0) packet_.set(Field::ip_frag, kFragment | (later ? kLater : 0));
        skip(header);
        if (!later) transport();
    }

    void ipv6() {
        if (!has(kIpv6Header)) return;
        const auto first = static_cast<std::uint32_t>(number(0, 4));
        packet_.set(Field::ipv6_label, first & 0xfffff);
        traffic_class(first >> 20 & 0xff);
        const auto payload = static_cast<std::size_t>(number(4, 2));
        auto next = static_cast<std::uint8_t>(number(6, 1));
        take(Field::ip_ttl, 7);
        take(Field::ipv6_src, 8);
        take(Field::ipv6_dst, 24);
        skip(kIpv6Header);
        limit(payload);
        const bool later = extensions(next);
        packet_.set(Field::ip_proto, next);
        if (!later) transport();
    }

    /// RFC 8200, 4: hop-by-hop 0, routing 43, fragment 44, authentication 51, destination 60. True: a later fragment.
    bool extensions(std::uint8_t& next) {
        while (next == 0 || next == 43 || next == 44 || next == 51 || next == 60) {
            if (!has(8)) return false;
            const auto here = next;
            next = static_cast<std::uint8_t>(number(0, 1));
            auto length = (static_cast<std::size_t>(number(1, 1)) + 1) * 8;
            if (here == 51) length = (static_cast<std::size_t>(number(1, 1)) + 2) * 4;
            if (here == 44) {
                length = 8;
                const auto fragment = static_cast<unsigned>(number(2, 2));
                const bool later = (fragment & 0xfff8) != 0;
                if (later || (fragment & 1) != 0) packet_.set(Field::ip_frag, kFragment | (later ? kLater : 0));
                if (later) return true;
            }
            skip(length);
        }
        return false;
    }

    void traffic_class(unsigned value) {
        packet_.set(Field::ip_dscp, value >> 2);
        packet_.set(Field::ip_ecn, value & 3);
    }

    void ports(Field source, Field target, std::size_t header) {
        if (!has(header)) return;
        take(source, 0);
        take(target, 2);
    }

    void transport() {
        switch (static_cast<std::uint8_t>(packet_.get(Field::ip_proto))) {
        case ip_proto::kTcp:
            ports(Field::tcp_src, Field::tcp_dst, 20);
            if (has(20)) packet_.set(Field::tcp_flags, number(12, 2) & 0xfff);
            break;
        case ip_proto::kUdp:
            ports(Field::udp_src, Field::udp_dst, 8);
            break;
        case ip_proto::kSctp:
            ports(Field::sctp_src, Field::sctp_dst, 12);
            break;
        case ip_proto::kIcmp:
            if (!has(8)) return;
            take(Field::icmp_type, 0);
            take(Field::icmp_code, 1);
            break;
        case ip_proto::kIcmpv6:
            if (!has(4)) return;
            take(Field::icmpv6_type, 0);
            take(Field::icmpv6_code, 1);
            neighbour_discovery();
            break;
        default:
            break;
        }
    }

    /// Target and link-layer options of solicitations (135) and advertisements (136), RFC 4861.
    void neighbour_discovery() {
        const auto type = packet_.get(Field::icmpv6_type);
        if ((type != 135 && type != 136) || packet_.get(Field::icmpv6_code) != 0 || !has(kNdTarget)) return;
        take(Field::nd_reserved, 4);
        take(Field::nd_target, 8);
        skip(kNdTarget);
        while (has(8)) {
            const auto option = number(0, 1);
            const auto length = static_cast<std::size_t>(number(1, 1)) * 8;
            if (length == 0 || !has(length)) return;
            if (option == 1 && type == 135) take(Field::nd_sll, 2);
            if (option == 2 && type == 136) take(Field::nd_tll, 2);
            if (option == 1 || option == 2) packet_.set(Field::nd_options_type, option);
            skip(length);
        }
    }

    std::span<const std::byte> rest_;
    Packet& packet_;
};

} // namespace

Result<Packet> packet_of(std::span<const std::byte> frame) {
    if (frame.size() < kAddresses + kEtherType)
        return fail(ErrorKind::invalid, "a frame has an Ethernet header of 14 bytes");
    Packet packet;
    Reader(frame, packet).ethernet();
    const bool tagged = packet.get(Field::vlan_tci) != 0;
    packet.length = static_cast<std::uint32_t>(frame.size() - (tagged ? 4 : 0));
    return packet;
}

} // namespace weft::openflow
