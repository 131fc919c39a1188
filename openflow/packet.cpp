#include "openflow/packet.hpp"

#include <algorithm>

namespace weft::openflow {
namespace {

/// A field that is part of others, or made of them: `parts` registers from `first` on, or bits of the VLAN header.
struct Alias {
    Field first{};
    unsigned parts = 1;
    unsigned shift = 0; ///< of the VLAN header's fields
};

constexpr unsigned kRegisterBits = 32;

constexpr Field nth(Field first, unsigned n) {
    return static_cast<Field>(static_cast<unsigned>(first) + n);
}

constexpr bool between(Field field, Field first, Field last) {
    return field >= first && field <= last;
}

Alias alias_of(Field field) {
    const auto index = [&](Field first) { return static_cast<unsigned>(field) - static_cast<unsigned>(first); };
    if (between(field, Field::xreg0, Field::xreg7)) return {nth(Field::reg0, 2 * index(Field::xreg0)), 2};
    if (between(field, Field::xxreg0, Field::xxreg3)) return {nth(Field::reg0, 4 * index(Field::xxreg0)), 4};
    if (field == Field::vlan_vid) return {Field::vlan_tci, 1};
    if (field == Field::vlan_pcp) return {Field::vlan_tci, 1, 13};
    return {field, 1};
}

Ip address(const Packet& packet, Field v4, Field v6) {
    if (packet.get(Field::eth_type) != eth_type::kIpv6) return Ip::v4(static_cast<std::uint32_t>(packet.get(v4)));
    std::array<std::uint8_t, 16> bytes{};
    auto value = packet.get(v6);
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, value >>= 8)
        *byte = static_cast<std::uint8_t>(value);
    return Ip::v6(bytes);
}

std::size_t place(Field field) {
    return static_cast<std::size_t>(field);
}

} // namespace

Bits Packet::get(Field field) const {
    const auto alias = alias_of(field);
    if (alias.parts == 1) return values_[place(alias.first)] >> alias.shift & full_mask(field);
    Bits value = 0;
    for (unsigned part = 0; part < alias.parts; ++part)
        value = value << kRegisterBits | values_[place(nth(alias.first, part))];
    return value;
}

void Packet::set(Field field, Bits value, Bits mask) {
    const auto alias = alias_of(field);
    mask &= full_mask(field);
    for (unsigned part = alias.parts; part-- > 0;) {
        auto& stored = values_[place(nth(alias.first, part))];
        const Bits bits = alias.parts == 1 ? mask << alias.shift : mask & full_mask(Field::reg0);
        const Bits news = alias.parts == 1 ? value << alias.shift : value;
        stored = (stored & ~bits) | (news & bits);
        if (alias.parts == 1) return;
        value >>= kRegisterBits;
        mask >>= kRegisterBits;
    }
}

Ip source_of(const Packet& packet) {
    return address(packet, Field::ip_src, Field::ipv6_src);
}
Ip target_of(const Packet& packet) {
    return address(packet, Field::ip_dst, Field::ipv6_dst);
}

bool Packet::matches(const Match& match) const {
    return std::ranges::all_of(
        match.fields(), [this](const FieldMatch& field) { return (get(field.field) & field.mask) == field.value; });
}

} // namespace weft::openflow
