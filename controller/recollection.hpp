// What an old revision's objects had and what is so now, put together for a rollback: topology::allocate() makes of it
// what the old revision had, to the last number, so that the hosts' flows are those of before. Decides: pure.
// Fed by StateStore::recall and Intent; feeds Intent::consider.
#pragma once
#include "controller/state.hpp"

namespace weft::controller {

/// `then` wins, with three exceptions, which are what the hosts and guests said since:
/// - An address that its guest has declined since stays declined, and the port keeps the one it has now.
/// - Dynamic ports come and go with their NICs, not with revisions: one that came since keeps its address if that is
///   nobody's of then. NICs are those that are told of now.
/// - Neighbours on a network of `now` are those that are known now.
Recollection with_what_is_known(Recollection then, const Recollection& now, const topology::Topology& topology_now);

/// Dynamic ports that have another address under `after` than under `before`: a sentence each.
std::vector<std::string> readdressed(const std::map<std::string, fabric::DynamicPort>& dynamic_ports,
                                     const topology::Allocations& before, const topology::Allocations& after);

} // namespace weft::controller
