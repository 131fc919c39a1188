// Packet: the headers of a packet and the metadata that Open vSwitch keeps beside it, by the fields of ovs-fields(7).
// What openflow/evaluate moves through a switch's tables. Payload is only a length.
#pragma once
#include "openflow/match.hpp"

#include <array>
#include <cstdint>

namespace weft::openflow {

class Packet {
  public:
    /// Values as in Match: integers in host order. Fields that a packet does not have (ARP's in an IP packet) are 0,
    /// and so are those that nobody set. reg, xreg and xxreg are the same storage, and so are vlan_tci, vlan_vid and
    /// vlan_pcp (ovs-fields(7)).
    Bits get(Field field) const;
    /// Bits of `mask` only; bits of `value` outside `mask` are ignored.
    void set(Field field, Bits value, Bits mask);
    void set(Field field, Bits value) { set(field, value, full_mask(field)); }

    /// Every field of the match has the value it asks for.
    bool matches(const Match& match) const;

    /// What check_pkt_larger compares: bytes of the frame without its VLAN tags.
    std::uint32_t length = 98;

    bool operator==(const Packet&) const = default;

  private:
    std::array<Bits, kFieldCount> values_{}; ///< of fields that are no alias of another
};

/// Of an IPv6 packet its IPv6 addresses, of any other its IPv4 ones.
Ip source_of(const Packet& packet);
Ip target_of(const Packet& packet);

} // namespace weft::openflow
