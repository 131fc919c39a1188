// World's gateways: what the topology says of one (nat/gateway), and what was learnt of its candidates and next hops.
#pragma once
#include "fabric/world.hpp"

namespace weft::fabric {

/// Of the host's facts; nothing while it has none.
std::optional<Ip> vtep_of(const Inputs& inputs, const std::string& host);

/// Parts of `previous` are reused: it was made of the same topology and allocations, or is null.
nat::Gateway gateway_of(const topology::Gateway& gateway, const Inputs& inputs, const nat::GatewayPtr& previous);

} // namespace weft::fabric
