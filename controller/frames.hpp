// What the daemon says and hears about neighbours, as values: ARP (RFC 826, RFC 5227) and IPv6 neighbour discovery
// (RFC 4861). Frames are untagged Ethernet, ARP's padded to Ethernet's minimum. Nothing here sends, waits or logs.
#pragma once
#include "base/address.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace weft::controller {

using Frame = std::vector<std::byte>;

/// RFC 1071: what to write into a checksum field that is zero in `bytes`; 0 for bytes whose checksum is right. `sum` is
/// added first: the 16-bit words of a pseudo-header.
std::uint16_t internet_checksum(std::span<const std::byte> bytes, std::uint32_t sum = 0);

// The builders want addresses of their own family.

/// RFC 826: who has `target`? Broadcast. With the sender 0.0.0.0 a probe (RFC 5227, 2.1.1), which claims nothing.
Frame arp_request(const Mac& sender, const Ip& sender_ip, const Ip& target);

/// RFC 5227, 2.3: the announcement that `mac` has `ip`. A broadcast request, which more hosts believe than a reply.
Frame gratuitous_arp(const Mac& mac, const Ip& ip);

/// RFC 4861, 4.3: who has `target`? To its solicited-node group, with the source link-layer option unless the sender is
/// :: (duplicate address detection, RFC 4862, 5.4.2).
Frame neighbour_solicitation(const Mac& sender, const Ip& sender_ip, const Ip& target);

/// One of the two, by the family of `target`.
Frame who_has(const Mac& sender, const Ip& sender_ip, const Ip& target);

/// RFC 4861, 4.4: `ip` is at `mac`, sent from `ip`, with the override flag and the target link-layer option.
/// `solicited` must be false for a multicast destination.
Frame neighbour_advertisement(const Mac& mac, const Ip& ip, const Ip& destination, const Mac& destination_mac,
                              bool router, bool solicited);

/// RFC 4861, 7.2.6: the same to all nodes of the link (ff02::1), unasked; IPv6's gratuitous ARP.
Frame unsolicited_advertisement(const Mac& mac, const Ip& ip, bool router);

/// That `ip` is at `mac`, by the word of whoever sent the frame.
struct NeighbourClaim {
    Ip ip;
    Mac mac;
    bool operator==(const NeighbourClaim&) const = default;
};

/// The claim in an ARP request or reply (its sender fields), a solicitation with the source link-layer option or an
/// advertisement with the target link-layer option. Nothing else claims, and neither does a probe, what RFC 4861, 7.1
/// tells to discard, or what names an address that no single host can have: the unspecified one, broadcast, multicast.
/// Neighbour discovery behind extension headers is not looked at. For any bytes; never throws.
std::optional<NeighbourClaim> neighbour_claim(std::span<const std::byte> frame);

/// The address that a neighbour solicitation asks for, also in duplicate address detection, if RFC 4861, 7.1.1 allows
/// the frame. For any bytes; never throws.
std::optional<Ip> solicited_target(std::span<const std::byte> frame);

} // namespace weft::controller
