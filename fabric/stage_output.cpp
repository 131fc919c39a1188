// output: out of a port (tagged where the attachment is), an uplink (tagged with the network's VLAN) or the tunnel.
#include "fabric/stages.hpp"

namespace weft::fabric {

namespace {

enum Priority : std::uint16_t { kMiss = 0, kKnown = 100 };

of::Actions send(std::uint32_t ofport, std::optional<std::uint16_t> vlan) {
    if (!vlan) return {of::Output{ofport}};
    return {of::PushVlan{}, of::SetField{of::Field::vlan_tci, of::Bits{0x1000} | *vlan, 0x1fff}, of::Output{ofport}};
}

of::Match way_out(WayOut way) {
    return of::Match().set(kWayOut, static_cast<std::uint64_t>(way));
}

} // namespace

void output_host(Emit& emit) {
    emit.drop(Stage::output, kMiss, owner_of(emit.host), Reason::unknown_destination, {});
    if (emit.host.facts.vxlan_ofport != 0)
        emit.flow(Stage::output, kKnown, owner_of(emit.host), way_out(WayOut::tunnel),
                  send(emit.host.facts.vxlan_ofport, {}));
}

void output_network(Emit& emit, const NetworkCore& network) {
    const auto* uplink = uplink_of(emit.host, network);
    if (uplink == nullptr) return;
    const auto vlan = network.kind == topology::NetworkKind::vlan ? std::optional(network.vlan) : std::nullopt;
    emit.flow(Stage::output, kKnown, owner_of(network), way_out(WayOut::uplink).metadata(network.id.value),
              send(*uplink, vlan));
}

void output_attachment(Emit& emit, const Attachment& attachment) {
    if (!is_plugged(emit, attachment)) return;
    emit.flow(Stage::output, kKnown, owner_of(attachment),
              way_out(WayOut::local).set(kDestination, attachment.id.value),
              send(attachment.binding.ofport, attachment.vlan));
}

} // namespace weft::fabric
