// StaleCache: makes the userspace datapath forget what it cached, with every change of its switch.
//
// The userspace datapath of Open vSwitch 3.1 changes a cached flow by the key of its first packet, not by its id
// (dpif-netdev.c, flow_put_on_pmd). Where two cached flows overlap, which they may while both do the same, the wrong
// one is changed, and the other goes on doing what the tables said before: a revoked connection lives on, an allowed
// one is dropped, as long as its packets keep the cached flow alive. But a cached flow that lacks a bit which the
// tables look at now is deleted, by its id. So in every table where a packet's way through the switch begins there is a
// flow that no packet matches, the first to be looked at; each change moves it to another bit.
#pragma once
#include "openflow/session.hpp"

#include <vector>

namespace weft::controller {

class StaleCache {
  public:
    /// Takes these flows out of what a switch holds, and remembers them.
    void take_from(std::vector<openflow::FlowStats>& flows);

    /// The switch holds one in each of the tables.
    bool whole() const;

    /// Adds them, or their move, to a change.
    void add_to(openflow::Change& change) const;

    /// How many flows add_to() adds.
    std::size_t size_of_move() const;

    /// The switch has committed a change that they were added to.
    void moved() { held_ = next(); }

  private:
    /// All of one bit that the switch holds none of.
    std::vector<openflow::Flow> next() const;

    std::vector<openflow::Flow> held_;
};

} // namespace weft::controller
