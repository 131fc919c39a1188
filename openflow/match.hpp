// Match: which packets a flow is for. A sorted list of (field, value, mask), equal exactly when it matches the same
// packets by the same fields. The named builders set the prerequisites that OpenFlow asks for (a flow with ip_src but
// no eth_type would be encoded without the address, that is: wider than written); the codec refuses a match that lacks
// one.
#pragma once
#include "openflow/field.hpp"

#include <vector>

namespace weft::openflow {

struct FieldMatch {
    Field field{};
    Bits value = 0;
    Bits mask = 0;
    bool operator==(const FieldMatch&) const = default;
};

/// ct_state bits (ovs-fields(7)).
namespace ct {
inline constexpr std::uint32_t kNew = 0x01, kEst = 0x02, kRel = 0x04, kRpl = 0x08, kInv = 0x10, kTrk = 0x20,
                               kSnat = 0x40, kDnat = 0x80;
}

namespace eth_type {
inline constexpr std::uint16_t kIpv4 = 0x0800, kArp = 0x0806, kVlan = 0x8100, kSvlan = 0x88a8, kIpv6 = 0x86dd;
}
namespace ip_proto {
inline constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpv6 = 58, kSctp = 132;
}

class Match {
  public:
    /// Sets one field; bits of `value` outside `mask` are cleared; a zero mask removes the field. Replaces an earlier
    /// one.
    Match& set(Field field, Bits value, Bits mask);
    Match& set(Field field, Bits value) { return set(field, value, full_mask(field)); }

    Match& in_port(std::uint32_t ofport) { return set(Field::in_port, ofport); }
    Match& metadata(std::uint64_t value) { return set(Field::metadata, value); }
    Match& eth_src(const Mac& mac) { return set(Field::eth_src, bits(mac)); }
    Match& eth_dst(const Mac& mac) { return set(Field::eth_dst, bits(mac)); }
    Match& eth_type(std::uint16_t type) { return set(Field::eth_type, type); }
    /// No 802.1Q header at all.
    Match& untagged() { return set(Field::vlan_tci, 0, 0xffff); }
    /// A header with this VID, any priority. 0: a priority tag.
    Match& vlan(std::uint16_t vid) { return set(Field::vlan_tci, 0x1000 | vid, 0x1fff); }
    /// Bit 0 of the first octet: broadcast or multicast.
    Match& multicast(bool yes);

    Match& ipv4() { return eth_type(eth_type::kIpv4); }
    Match& ipv6() { return eth_type(eth_type::kIpv6); }
    Match& arp() { return eth_type(eth_type::kArp); }
    Match& arp_op(std::uint16_t op) { return arp().set(Field::arp_op, op); }
    /// With the EtherType of the family.
    Match& ip_src(const Prefix& prefix);
    Match& ip_dst(const Prefix& prefix);
    Match& ip_src(const Ip& ip) { return ip_src(Prefix::host(ip)); }
    Match& ip_dst(const Ip& ip) { return ip_dst(Prefix::host(ip)); }
    /// With the IP protocol; the EtherType must be set by ipv4(), ipv6() or an address.
    Match& udp() { return set(Field::ip_proto, ip_proto::kUdp); }
    Match& tcp() { return set(Field::ip_proto, ip_proto::kTcp); }
    /// ICMPv6 of one type, EtherType and protocol included (RFC 4443, RFC 4861).
    Match& icmpv6(std::uint8_t type);

    const std::vector<FieldMatch>& fields() const { return fields_; }
    const FieldMatch* find(Field field) const;
    bool operator==(const Match&) const = default;

  private:
    std::vector<FieldMatch> fields_; ///< sorted by field
};

} // namespace weft::openflow
