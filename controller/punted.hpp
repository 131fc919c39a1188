// What the registers of a punted packet say.
#pragma once
#include "openflow/message.hpp"
#include "pipeline/fields.hpp"

namespace weft::controller {

/// 0 for one that the switch did not report.
inline std::uint64_t value_of(const openflow::PacketIn& packet, openflow::Field field) {
    const auto* found = packet.metadata.find(field);
    return found == nullptr ? 0 : static_cast<std::uint64_t>(found->value);
}

/// A 64-bit register is reported as its halves, or whole.
inline std::uint64_t value_of(const openflow::PacketIn& packet, openflow::Field whole, openflow::Field high,
                              openflow::Field low) {
    if (packet.metadata.find(whole) != nullptr) return value_of(packet, whole);
    return value_of(packet, high) << 32 | value_of(packet, low);
}

/// The attachment that sent it; 0: from a wire or a tunnel.
inline std::uint64_t source_of(const openflow::PacketIn& packet) {
    return value_of(packet, pipeline::kSource, openflow::Field::reg0, openflow::Field::reg1);
}

/// The router whose routes hold for it.
inline std::uint64_t router_of(const openflow::PacketIn& packet) {
    return value_of(packet, pipeline::kRouter, openflow::Field::reg8, openflow::Field::reg9);
}

} // namespace weft::controller
