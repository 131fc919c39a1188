// The OVS fields behind the registers that pipeline/registers.hpp names, and the few actions on them that stages share.
#pragma once
#include "openflow/action.hpp"
#include "pipeline/registers.hpp"
#include "pipeline/stages.hpp"

namespace weft::fabric {

namespace of = openflow;

inline constexpr of::Field kNetwork = of::Field::metadata;
inline constexpr of::Field kSource = of::Field::xreg0;
inline constexpr of::Field kDestination = of::Field::xreg1;
inline constexpr of::Field kWayIn = of::Field::reg4;
inline constexpr of::Field kWayOut = of::Field::reg5;
inline constexpr of::Field kNdChecked = of::Field::reg6;
inline constexpr of::Field kAnswering = of::Field::reg7;

inline of::SetField load(of::Field field, std::uint64_t value) {
    return of::set_field(field, value);
}
inline of::SetField load(pipeline::WayIn way) {
    return load(kWayIn, static_cast<std::uint64_t>(way));
}
inline of::SetField load(pipeline::WayOut way) {
    return load(kWayOut, static_cast<std::uint64_t>(way));
}

inline of::GotoTable go_to(pipeline::Stage stage) {
    return {pipeline::table_of(pipeline::live_from(stage))};
}
inline of::GotoTable go_on_after(pipeline::Stage stage) {
    return {pipeline::table_of(pipeline::after(stage))};
}

/// OVS never sends a packet out of the port it came in by; a unicast may have to (two sub-networks of one trunk port).
inline of::SetField forget_in_port() {
    return of::set_field(of::Field::in_port, 0);
}

} // namespace weft::fabric
