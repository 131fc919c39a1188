// Random flows that OpenFlow allows: every field with its prerequisites, every action where it may stand.
#pragma once
#include "openflow/flow.hpp"

#include <rapidcheck.h>

namespace weft::openflow::generate {

inline Bits wide() {
    const auto high = *rc::gen::arbitrary<std::uint64_t>(), low = *rc::gen::arbitrary<std::uint64_t>();
    return Bits{high} << 64 | low;
}

template <class T>
T one_of(std::initializer_list<T> choices) {
    return *rc::gen::elementOf(std::vector<T>(choices));
}

inline bool chance(int percent) {
    return *rc::gen::inRange(0, 100) < percent;
}

inline Ip v4() {
    return Ip::v4(*rc::gen::inRange<std::uint32_t>(1, 0xffff'fff0));
}
inline Ip v6() {
    std::array<std::uint8_t, 16> bytes{};
    for (auto& byte : bytes)
        byte = *rc::gen::arbitrary<std::uint8_t>();
    bytes[0] = 0xfd;
    return Ip::v6(bytes);
}

/// A value and, half the time, a mask with some bits set; of IPv6 addresses a prefix, for text has no other.
inline void masked(Match& match, Field field) {
    Bits mask = full_mask(field);
    const bool ipv6 = (field >= Field::tun_ipv6_src && field <= Field::tun_ipv6_dst) || field == Field::ct_ipv6_src ||
                      field == Field::ct_ipv6_dst || field == Field::ipv6_src || field == Field::ipv6_dst ||
                      field == Field::nd_target;
    if (chance(50)) mask &= ipv6 ? mask << *rc::gen::inRange(0, 128) : wide();
    match.set(field, wide(), mask);
}
inline void exact(Match& match, Field field) {
    match.set(field, wide());
}

inline void layer4(Match& match, bool is_v6) {
    if (!is_v6 && chance(20)) {
        match.set(Field::ip_proto, ip_proto::kIcmp);
        if (chance(70)) exact(match, Field::icmp_type);
        if (chance(50)) exact(match, Field::icmp_code);
    } else if (is_v6 && chance(40)) {
        match.icmpv6(one_of<std::uint8_t>({128, 133, 134, 135, 136}));
        const Bits type = match.find(Field::icmpv6_type)->value;
        if (type != 135 && type != 136) return;
        match.set(Field::icmpv6_code, 0);
        if (chance(60)) masked(match, Field::nd_target);
        if (chance(40)) masked(match, type == 135 ? Field::nd_sll : Field::nd_tll);
    } else {
        struct Protocol {
            std::uint8_t number;
            Field source, target;
        };
        const auto protocol = one_of<Protocol>({{ip_proto::kTcp, Field::tcp_src, Field::tcp_dst},
                                                {ip_proto::kUdp, Field::udp_src, Field::udp_dst},
                                                {ip_proto::kSctp, Field::sctp_src, Field::sctp_dst}});
        match.set(Field::ip_proto, protocol.number);
        if (chance(50)) masked(match, protocol.source);
        if (chance(50)) masked(match, protocol.target);
        if (protocol.number == ip_proto::kTcp && chance(30)) masked(match, Field::tcp_flags);
    }
}

inline void ip_fields(Match& match) {
    const bool is_v6 = chance(50);
    if (is_v6) {
        match.ipv6();
        if (chance(50)) masked(match, Field::ipv6_src);
        if (chance(50)) masked(match, Field::ipv6_dst);
        if (chance(20)) masked(match, Field::ipv6_label);
    } else {
        match.ipv4();
        if (chance(50)) masked(match, Field::ip_src);
        if (chance(50)) masked(match, Field::ip_dst);
    }
    if (chance(20)) exact(match, Field::ip_dscp);
    if (chance(20)) exact(match, Field::ip_ecn);
    if (chance(20)) exact(match, Field::ip_ttl);
    if (chance(60))
        layer4(match, is_v6);
    else if (chance(30))
        match.set(Field::ip_frag, one_of<Bits>({0, 1, 3}));
    if (chance(30)) {
        match.set(Field::ct_state, ct::kTrk | ct::kEst, ct::kTrk | ct::kEst | ct::kInv);
        if (chance(50)) masked(match, is_v6 ? Field::ct_ipv6_src : Field::ct_nw_src);
        if (chance(50)) masked(match, is_v6 ? Field::ct_ipv6_dst : Field::ct_nw_dst);
        if (chance(50)) {
            match.set(Field::ct_nw_proto, ip_proto::kUdp);
            masked(match, Field::ct_tp_src);
            masked(match, Field::ct_tp_dst);
        }
    }
}

inline Match match() {
    Match match;
    if (chance(50)) match.in_port(*rc::gen::inRange<std::uint32_t>(1, 0xfeff));
    if (chance(20)) masked(match, Field::metadata);
    if (chance(20)) {
        masked(match, Field::tun_id);
        masked(match, Field::tun_src);
        masked(match, Field::tun_dst);
    }
    if (chance(5)) masked(match, Field::tun_ipv6_src), masked(match, Field::tun_ipv6_dst);
    if (chance(10)) masked(match, Field::pkt_mark);
    if (chance(10)) masked(match, Field::ct_mark);
    if (chance(10)) masked(match, Field::ct_label);
    if (chance(10)) exact(match, Field::ct_zone);
    if (chance(5)) match.set(Field::conj_id, *rc::gen::inRange<std::uint32_t>(1, 1000));
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
        masked(match, static_cast<Field>(static_cast<int>(Field::reg0) + *rc::gen::inRange(0, 28))); // reg, xreg, xxreg
    }
    if (chance(30)) masked(match, Field::eth_src);
    if (chance(30)) masked(match, Field::eth_dst);
    if (chance(20))
        match.vlan(*rc::gen::inRange<std::uint16_t>(0, 4095));
    else if (chance(20))
        match.untagged();
    if (chance(10)) match.set(Field::vlan_pcp, wide());
    if (chance(60)) {
        ip_fields(match);
    } else if (chance(60)) {
        match.arp_op(one_of<std::uint16_t>({1, 2}));
        for (Field field : {Field::arp_spa, Field::arp_tpa, Field::arp_sha, Field::arp_tha}) {
            if (chance(50)) masked(match, field);
        }
    }
    return match;
}

inline SetField set_some(Field field) {
    SetField set{.field = field, .value = wide(), .mask = full_mask(field)};
    if (field != Field::vlan_vid && field != Field::vlan_pcp && field != Field::ip_dscp && field != Field::ip_ecn &&
        field != Field::ip_ttl && field != Field::in_port && chance(40)) {
        set.mask &= wide() | 1;
    }
    set.value &= set.mask;
    if (field == Field::in_port) set.value &= 0xfff;
    return set;
}

inline Ct ct(bool is_v6) {
    Ct ct{.commit = chance(50)};
    ct.force = ct.commit && chance(30);
    if (chance(50))
        ct.zone = Field::reg6;
    else
        ct.zone = *rc::gen::arbitrary<std::uint16_t>();
    if (chance(50)) ct.table = *rc::gen::inRange<std::uint8_t>(0, 254);
    if (chance(60)) {
        Nat nat{.kind = one_of({Nat::Kind::restore, Nat::Kind::source, Nat::Kind::target})};
        ct.commit |= nat.kind != Nat::Kind::restore;
        if (nat.kind != Nat::Kind::restore) {
            nat.first = is_v6 ? v6() : v4();
            if (chance(30)) nat.last = nat.first->plus(*rc::gen::inRange<std::uint64_t>(1, 9));
            if (chance(50)) {
                nat.port_first = *rc::gen::inRange<std::uint16_t>(1, 60000);
                nat.port_last = static_cast<std::uint16_t>(nat.port_first + *rc::gen::inRange<std::uint16_t>(0, 99));
            }
        }
        ct.nat = nat;
    }
    if (ct.commit && chance(50)) ct.exec.push_back(set_some(Field::ct_mark));
    if (ct.commit && chance(30)) ct.exec.push_back(set_some(Field::ct_label));
    return ct;
}

/// Actions that stand behind any match; more where the match allows it. Groups and meters: id 1 to 3.
inline Actions actions(const Match& match) {
    if (match.find(Field::ip_src) && chance(10)) {
        return {Conjunction{*rc::gen::inRange<std::uint32_t>(1, 1000), 1, 2}, Conjunction{2000, 2, 3}};
    }
    const FieldMatch* type = match.find(Field::eth_type);
    const bool ip = type && (type->value == eth_type::kIpv4 || type->value == eth_type::kIpv6);
    const FieldMatch* proto = match.find(Field::ip_proto);
    const FieldMatch* frag = match.find(Field::ip_frag);
    Actions list;
    if (chance(20)) list.push_back(Meter{*rc::gen::inRange<std::uint32_t>(1, 4)});
    for (int i = *rc::gen::inRange(0, 6); i > 0; --i) {
        switch (*rc::gen::inRange(0, 17)) {
        case 0:
            list.push_back(Output{*rc::gen::inRange<std::uint32_t>(1, 0xfeff)});
            break;
        case 1:
            list.push_back(Output{one_of({ofport::kLocal, ofport::kInPort})});
            break;
        case 2:
            list.push_back(Group{*rc::gen::inRange<std::uint32_t>(1, 4)});
            break;
        case 3:
            list.push_back(set_some(one_of({Field::reg0, Field::reg15, Field::xreg2, Field::xxreg1, Field::metadata})));
            break;
        case 4:
            list.push_back(
                set_some(one_of({Field::eth_src, Field::eth_dst, Field::tun_id, Field::tun_dst, Field::pkt_mark})));
            break;
        case 5:
            list.push_back(set_some(Field::in_port));
            break;
        case 6:
            list.push_back(move_field(Field::eth_src, Field::eth_dst));
            break;
        case 7:
            list.push_back(Move{Field::reg3, 8, Field::metadata, 16, 16});
            break;
        case 8:
            list.push_back(PushVlan{});
            list.push_back(set_some(Field::vlan_vid));
            list.push_back(PopVlan{});
            break;
        case 9:
            list.push_back(Resubmit{*rc::gen::inRange<std::uint8_t>(0, 254)});
            break;
        case 10:
            list.push_back(CtClear{});
            break;
        case 11:
            list.push_back(CheckPktLarger{*rc::gen::arbitrary<std::uint16_t>(), Field::reg1, 5});
            break;
        case 12: {
            Controller controller{.userdata = *rc::gen::string<std::string>(), .meter = {}};
            if (chance(50)) controller.meter = *rc::gen::inRange<std::uint32_t>(1, 4);
            list.push_back(controller);
            break;
        }
        case 13:
            if (ip) list.push_back(ct(type->value == eth_type::kIpv6));
            break;
        case 14:
            if (ip) list.push_back(DecTtl{});
            if (ip) list.push_back(set_some(one_of({Field::ip_dscp, Field::ip_ecn, Field::ip_ttl})));
            if (ip && proto && proto->value == ip_proto::kUdp && !frag) list.push_back(set_some(Field::udp_dst));
            break;
        case 16:
            list.push_back(SetQueue{*rc::gen::inRange<std::uint32_t>(0, 0xf000)});
            break;
        case 15:
            if (match.find(Field::icmpv6_type) && match.find(Field::nd_target)) {
                list.push_back(set_field(Field::icmpv6_type, 136));
                list.push_back(set_field(Field::nd_reserved, 0x6000'0000));
                list.push_back(set_field(Field::nd_options_type, 2));
                list.push_back(set_some(Field::nd_target));
            }
            break;
        }
    }
    return list;
}

inline Flow flow() {
    Flow flow{.table = *rc::gen::inRange<std::uint8_t>(0, 254),
              .priority = *rc::gen::arbitrary<std::uint16_t>(),
              .cookie = *rc::gen::arbitrary<std::uint64_t>() & ~std::uint64_t{1},
              .match = match(),
              .actions = {}};
    flow.actions = actions(flow.match);
    if (flow.table < 253 && chance(20) &&
        (flow.actions.empty() || !std::holds_alternative<Conjunction>(flow.actions[0].value))) {
        flow.actions.push_back(GotoTable{static_cast<std::uint8_t>(flow.table + 1)});
    }
    return flow;
}

} // namespace weft::openflow::generate
