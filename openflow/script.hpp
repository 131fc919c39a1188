// Script: the messages of a Change that go into bundles, in the order in which they must take effect. Each is encoded
// when its turn comes, so a change of any size costs the sender one output buffer.
#pragma once
#include "openflow/session.hpp"

#include <string>
#include <vector>

namespace weft::openflow {

class Script {
  public:
    /// Refers to `change`. Foreign flows go first (one may stand under the key of a flow that is added), then groups
    /// before the flows that use them, what is removed last.
    explicit Script(const Change& change);

    std::size_t size() const { return steps_.size(); }
    void encode(std::size_t step, const Envelope& to, Bytes& out) const;
    bool is_flow(std::size_t step) const { return steps_[step].flow != nullptr; }
    /// For people: "flow table=0,priority=1,... actions=...".
    std::string describe(std::size_t step) const;

  private:
    struct Step {
        Command command;
        const Flow* flow;        ///< or
        const GroupEntry* group; ///< or
        std::uint32_t group_id;  ///< to remove
    };
    std::vector<Step> steps_;
};

} // namespace weft::openflow
