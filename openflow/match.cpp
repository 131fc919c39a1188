#include "openflow/match.hpp"

#include <algorithm>

namespace weft::openflow {

namespace {
constexpr std::uint16_t kTag = 0x1000; // vlan_tci's CFI bit: "there is a tag" (ovs-fields(7))

Field plus(Field field, unsigned offset) {
    return static_cast<Field>(static_cast<unsigned>(field) + offset);
}

/// The registers that a wide register is made of, high part first; 0 for every other field.
unsigned registers_in(Field field) {
    if (field >= Field::xreg0 && field <= Field::xreg7) return 2;
    if (field >= Field::xxreg0 && field <= Field::xxreg3) return 4;
    return 0;
}
} // namespace

Match& Match::set(Field field, Bits value, Bits mask) {
    mask &= full_mask(field);
    value &= mask;

    if (const unsigned parts = registers_in(field)) {
        const Field wide = parts == 2 ? Field::xreg0 : Field::xxreg0;
        const unsigned first = parts * (static_cast<unsigned>(field) - static_cast<unsigned>(wide));
        for (unsigned i = 0; i < parts; ++i) {
            const unsigned shift = 32 * (parts - 1 - i);
            set(plus(Field::reg0, first + i), value >> shift & 0xffff'ffff, mask >> shift & 0xffff'ffff);
        }
        return *this;
    }
    if (field == Field::vlan_vid || field == Field::vlan_pcp) {
        const unsigned shift = field == Field::vlan_pcp ? 13 : 0;
        const Bits mine = full_mask(field) << shift;
        const FieldMatch* tci = find(Field::vlan_tci);
        const Bits others = (tci ? tci->mask : 0) & ~mine & ~Bits{kTag};
        const Bits tag = others || mask ? kTag : 0;
        return set(Field::vlan_tci, (tci ? tci->value & others : 0) | value << shift | tag,
                   others | mask << shift | tag);
    }
    if (field == Field::vlan_tci && (mask & kTag) && !(value & kTag)) {
        value = 0; // no tag: the other bits do not exist
        mask = 0x1fff;
    }

    auto at = std::ranges::lower_bound(fields_, field, {}, &FieldMatch::field);
    const bool present = at != fields_.end() && at->field == field;
    if (mask == 0) {
        if (present) fields_.erase(at);
    } else if (present) {
        *at = {field, value, mask};
    } else {
        fields_.insert(at, {field, value, mask});
    }
    return *this;
}

Match& Match::multicast(bool yes) {
    constexpr Bits kGroupBit = Bits{1} << 40;
    return set(Field::eth_dst, yes ? kGroupBit : 0, kGroupBit);
}

namespace {
Match& set_address(Match& match, Field v4, Field v6, const Prefix& prefix) {
    const bool is_v4 = prefix.address.is_v4();
    match.eth_type(is_v4 ? eth_type::kIpv4 : eth_type::kIpv6);
    return match.set(is_v4 ? v4 : v6, bits(prefix.network()), bits(prefix.netmask()));
}
} // namespace

Match& Match::ip_src(const Prefix& prefix) {
    return set_address(*this, Field::ip_src, Field::ipv6_src, prefix);
}
Match& Match::ip_dst(const Prefix& prefix) {
    return set_address(*this, Field::ip_dst, Field::ipv6_dst, prefix);
}

Match& Match::icmpv6(std::uint8_t type) {
    return ipv6().set(Field::ip_proto, ip_proto::kIcmpv6).set(Field::icmpv6_type, type);
}

const FieldMatch* Match::find(Field field) const {
    const auto at = std::ranges::lower_bound(fields_, field, {}, &FieldMatch::field);
    return at != fields_.end() && at->field == field ? &*at : nullptr;
}

} // namespace weft::openflow
