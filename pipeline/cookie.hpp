// A flow's cookie names its owner: kind (8 bits), for drops a reason (8 bits), object (48 bits). Never 0, and the same
// after every restart, so counters and traces speak of names.
#pragma once
#include "base/ids.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::pipeline {

/// Why a packet is dropped (docs/troubleshooting.md says what to do about each). The numbers are in cookies on
/// switches: never renumber, only append.
enum class Reason : std::uint8_t {
    none = 0,
    spoofed_mac,
    spoofed_ip,
    spoofed_arp,
    spoofed_nd,
    rogue_dhcp,
    rogue_ra,
    double_tag,
    unexpected_vlan,
    unknown_vtep,
    to_vtep,
    acl,
    ct_invalid,
    group_egress,
    group_ingress,
    no_route,
    no_neighbour,
    ttl_expired,
    too_big,
    unknown_destination,
    unbound,
    snat_exhausted,
    new_connection_rate,
    punt_limit,
    rate,
};

inline constexpr std::array<std::string_view, 25> kReasonNames{"",
                                                               "spoofed_mac",
                                                               "spoofed_ip",
                                                               "spoofed_arp",
                                                               "spoofed_nd",
                                                               "rogue_dhcp",
                                                               "rogue_ra",
                                                               "double_tag",
                                                               "unexpected_vlan",
                                                               "unknown_vtep",
                                                               "to_vtep",
                                                               "acl",
                                                               "ct_invalid",
                                                               "group_egress",
                                                               "group_ingress",
                                                               "no_route",
                                                               "no_neighbour",
                                                               "ttl_expired",
                                                               "too_big",
                                                               "unknown_destination",
                                                               "unbound",
                                                               "snat_exhausted",
                                                               "new_connection_rate",
                                                               "punt_limit",
                                                               "rate"};

constexpr std::string_view name_of(Reason reason) {
    return kReasonNames[static_cast<std::size_t>(reason)];
}

/// Who a flow belongs to and, for a drop, why.
struct Owner {
    Kind kind = Kind::fabric;
    ObjectId object{1};
    Reason reason = Reason::none;
    bool operator==(const Owner&) const = default;
};

constexpr std::uint64_t cookie(const Owner& owner) {
    return static_cast<std::uint64_t>(owner.kind) << 56 | static_cast<std::uint64_t>(owner.reason) << 48 |
           owner.object.value;
}

/// Nothing for a cookie that no weft would write.
constexpr std::optional<Owner> owner_of(std::uint64_t cookie) {
    const auto kind = static_cast<std::uint8_t>(cookie >> 56);
    const auto reason = static_cast<std::uint8_t>(cookie >> 48);
    const std::uint64_t object = cookie & 0xffff'ffff'ffff;
    if (kind < static_cast<std::uint8_t>(Kind::fabric) || kind > static_cast<std::uint8_t>(Kind::acl_entry))
        return std::nullopt;
    if (reason >= kReasonNames.size() || object == 0) return std::nullopt;
    return Owner{static_cast<Kind>(kind), ObjectId{object}, static_cast<Reason>(reason)};
}

} // namespace weft::pipeline
