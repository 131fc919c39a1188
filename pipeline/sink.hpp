// Sink: where stages put their flows, each with its owner's cookie.
#pragma once
#include "openflow/flow.hpp"
#include "pipeline/cookie.hpp"
#include "pipeline/stages.hpp"

#include <vector>

namespace weft::pipeline {

/// The flows, groups and meters of one host, or of some of its units.
struct SwitchState {
    std::vector<openflow::Flow> flows;
    std::vector<openflow::GroupEntry> groups;
    std::vector<openflow::MeterEntry> meters;
    bool operator==(const SwitchState&) const = default;
};

class Sink {
  public:
    explicit Sink(SwitchState& out) : out_(out) {}

    void flow(Stage stage, std::uint16_t priority, Owner owner, openflow::Match match, openflow::Actions actions) {
        out_.flows.push_back({table_of(stage), priority, cookie(owner), std::move(match), std::move(actions)});
    }
    /// A drop with its reason; `told` may punt the packet, so that somebody hears of it.
    void drop(Stage stage, std::uint16_t priority, Owner owner, Reason reason, openflow::Match match,
              openflow::Actions told = {}) {
        owner.reason = reason;
        flow(stage, priority, owner, std::move(match), std::move(told));
    }
    void group(openflow::GroupEntry entry) { out_.groups.push_back(std::move(entry)); }
    void meter(openflow::MeterEntry entry) { out_.meters.push_back(std::move(entry)); }

  private:
    SwitchState& out_;
};

} // namespace weft::pipeline
