// The OVS fields behind the registers that pipeline/registers.hpp names, and the few actions on them that stages share.
#pragma once
#include "openflow/action.hpp"
#include "pipeline/registers.hpp"
#include "pipeline/stages.hpp"

namespace weft::pipeline {

namespace of = openflow;

inline constexpr of::Field kNetwork = of::Field::metadata;
inline constexpr of::Field kSource = of::Field::xreg0;
inline constexpr of::Field kDestination = of::Field::xreg1;
inline constexpr of::Field kWayIn = of::Field::reg4;
inline constexpr of::Field kWayOut = of::Field::reg5;
inline constexpr of::Field kNdChecked = of::Field::reg6;
inline constexpr of::Field kAnswering = of::Field::reg7;
inline constexpr of::Field kGroup = of::Field::reg6;
inline constexpr of::Field kConnection = of::Field::reg7;
inline constexpr of::Field kRouter = of::Field::xreg4;
inline constexpr of::Field kNat = of::Field::reg10;
inline constexpr of::Field kTooBig = of::Field::reg11;
inline constexpr of::Field kNexthop4 = of::Field::reg12;
inline constexpr of::Field kNexthop6 = of::Field::xxreg3;

inline of::SetField load(of::Field field, std::uint64_t value) {
    return of::set_field(field, value);
}
inline of::SetField load(WayIn way) {
    return load(kWayIn, static_cast<std::uint64_t>(way));
}
inline of::SetField load(WayOut way) {
    return load(kWayOut, static_cast<std::uint64_t>(way));
}
inline of::SetField load(Answering step) {
    return load(kAnswering, static_cast<std::uint64_t>(step));
}
inline of::SetField load(Nat step) {
    return load(kNat, static_cast<std::uint64_t>(step));
}

/// A connection's verdict is in the low 8 bits of its register, its zone in the high 16: a commit clears ct_zone, and
/// the daemon must know where to look up a packet that it sends on.
inline constexpr of::Bits kVerdictBits = 0xff, kZoneBits = 0xffff'0000;
inline of::SetField load(Verdict verdict) {
    return {kConnection, static_cast<of::Bits>(verdict), kVerdictBits};
}
inline of::SetField load(Verdict verdict, std::uint16_t zone) {
    return {kConnection, static_cast<of::Bits>(verdict) | of::Bits{zone} << 16, kVerdictBits | kZoneBits};
}
inline of::Match with(of::Match match, Verdict verdict) {
    return std::move(match.set(kConnection, static_cast<of::Bits>(verdict), kVerdictBits));
}
inline of::Match with(of::Match match, Verdict verdict, std::uint16_t zone) {
    return std::move(
        match.set(kConnection, static_cast<of::Bits>(verdict) | of::Bits{zone} << 16, kVerdictBits | kZoneBits));
}

inline of::GotoTable go_to(Stage stage) {
    return {table_of(stage)};
}
inline of::GotoTable go_on_after(Stage stage) {
    return {table_of(after(stage))};
}
/// To a stage behind or the same one, which goto_table cannot reach, or out of a group's bucket.
inline of::Resubmit again_to(Stage stage) {
    return {table_of(stage)};
}

/// By the tunnel to a host, with the VNI that says there what the packet is.
inline of::Actions to_vtep(std::uint32_t vni, const Ip& vtep) {
    return {of::set_field(of::Field::tun_id, vni),
            of::set_field(vtep.is_v6() ? of::Field::tun_ipv6_dst : of::Field::tun_dst, of::bits(vtep)),
            load(WayOut::tunnel)};
}

/// OVS never sends a packet out of the port it came in by; a unicast may have to (two sub-networks of one trunk port).
inline of::SetField forget_in_port() {
    return of::set_field(of::Field::in_port, 0);
}

} // namespace weft::pipeline
