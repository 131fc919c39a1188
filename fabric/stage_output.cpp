// output: out of a port (tagged where the attachment is), an uplink (tagged with the network's VLAN) or the tunnel.
//
// The userspace datapath sends to all ports by one socket, whose buffer holds what waits in any port's queue: where one
// queue is full nobody is sent anything. So there a port's rate is metered before HTB, which then never has much to
// hold back. Unicast only: a meter that drops takes the copies for other ports with it.
#include "fabric/special.hpp"
#include "fabric/stages.hpp"

namespace weft::fabric {

namespace {

enum Priority : std::uint16_t { kMiss = 0, kKnown = 100, kMetered = 110 };

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
    if (!emit.host.facts.userspace || !attachment.qos || !attachment.qos->ingress) return;
    const auto meter = ingress_meter(attachment.binding.ofport);
    if (attachment.leads) emit.meter(rate_meter(meter, *attachment.qos->ingress));
    of::Actions actions{of::Meter{meter}};
    of::append(actions, send(attachment.binding.ofport, attachment.vlan));
    emit.flow(Stage::output, kMetered, owner_of(attachment),
              way_out(WayOut::local)
                  .set(kDestination, attachment.id.value)
                  .set(of::Field::eth_dst, 0, of::Bits{0x0100'0000'0000}),
              std::move(actions));
}

} // namespace weft::fabric
