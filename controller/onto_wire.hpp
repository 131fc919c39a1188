// Packet-outs: onto the wire of a physical network, and to a port.
#pragma once
#include "base/ids.hpp"
#include "openflow/message.hpp"
#include "pipeline/fields.hpp"

#include <functional>
#include <string>

namespace weft::controller {

/// Sends a packet from a host's switch. False when the host cannot now.
using SendFrom = std::function<bool(const std::string& host, const openflow::PacketOut& packet)>;

/// Out of the host's uplink to `network`, with its VLAN tag.
inline openflow::PacketOut onto_wire(const std::string& network, openflow::Bytes frame) {
    using namespace pipeline;
    return {std::move(frame),
            of::ofport::kController,
            {load(kNetwork, object_id(Kind::network, network).value), load(WayOut::uplink), again_to(Stage::output)}};
}

/// Out of a local port, by its attachment: VLAN tag and queue as any packet to it.
inline openflow::PacketOut to_attachment(ObjectId network, ObjectId attachment, openflow::Bytes frame) {
    using namespace pipeline;
    return {std::move(frame),
            of::ofport::kController,
            {load(kNetwork, network.value), load(kDestination, attachment.value), again_to(Stage::output)}};
}

} // namespace weft::controller
