#include "controller/stale_cache.hpp"

#include "pipeline/cookie.hpp"
#include "pipeline/stages.hpp"

#include <algorithm>
#include <array>

namespace weft::controller {
namespace {

using pipeline::Stage;

constexpr std::uint16_t kFirst = 65535;

/// From a port; out of ct (nat_in, state, nat_out); out of a select group (nexthop).
constexpr std::array kBeginnings{Stage::classify, Stage::nat_in, Stage::state, Stage::nexthop, Stage::nat_out};

/// Bits of pkt_mark, which is 0 in every packet of this datapath. Of three there is always one that is not in use.
constexpr std::array<std::uint32_t, 3> kBits{1, 2, 4};

std::vector<openflow::Flow> flows_of(std::uint32_t bit) {
    std::vector<openflow::Flow> flows;
    for (const auto stage : kBeginnings)
        flows.push_back({pipeline::table_of(stage),
                         kFirst,
                         pipeline::cookie({Kind::fabric, {1}, {}}),
                         openflow::Match().set(openflow::Field::pkt_mark, bit, bit),
                         {}});
    return flows;
}

bool holds(const std::vector<openflow::Flow>& flows, const openflow::Flow& flow) {
    return std::ranges::find(flows, flow) != flows.end();
}

} // namespace

void StaleCache::take_from(std::vector<openflow::FlowStats>& flows) {
    held_.clear();
    for (const auto bit : kBits) {
        const auto ours = flows_of(bit);
        std::erase_if(flows, [&](const openflow::FlowStats& stats) {
            const bool is_ours = holds(ours, stats.flow);
            if (is_ours) held_.push_back(stats.flow);
            return is_ours;
        });
    }
}

bool StaleCache::whole() const {
    return held_.size() == kBeginnings.size() &&
           std::ranges::all_of(held_, [this](const auto& flow) { return flow.match == held_.front().match; });
}

std::vector<openflow::Flow> StaleCache::next() const {
    for (const auto bit : kBits) {
        auto flows = flows_of(bit);
        const bool in_use = std::ranges::any_of(flows, [this](const auto& flow) { return holds(held_, flow); });
        if (!in_use) return flows;
    }
    // All in use: somebody's hand. Those that are there stay, the rest is added.
    return flows_of(kBits.front());
}

std::size_t StaleCache::size_of_move() const {
    openflow::Change move;
    add_to(move);
    return move.flows.size();
}

void StaleCache::add_to(openflow::Change& change) const {
    const auto wanted = next();
    for (const auto& flow : wanted)
        if (!holds(held_, flow)) change.flows.add.push_back(flow);
    for (const auto& flow : held_)
        if (!holds(wanted, flow)) change.flows.remove.push_back(flow);
}

} // namespace weft::controller
