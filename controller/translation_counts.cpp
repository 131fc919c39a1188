#include "controller/translation_counts.hpp"

#include "pipeline/cookie.hpp"
#include "pipeline/stages.hpp"

#include <algorithm>

namespace weft::controller {
namespace {

using pipeline::Stage;

/// The flow gives packets their translation. The flows that lead on from there would count them again.
bool translates(const openflow::Flow& flow) {
    return std::ranges::any_of(flow.actions, [](const openflow::Action& action) {
        return std::holds_alternative<openflow::Ct>(action.value) ||
               std::holds_alternative<openflow::Group>(action.value);
    });
}

} // namespace

std::set<std::string> translating_hosts(const fabric::World& world) {
    std::set<std::string> hosts;
    for (const auto& [_, gateway] : world.gateways) {
        for (const auto& candidate : gateway->candidates)
            hosts.insert(candidate.host);
        for (const auto& floating : gateway->floating_ips)
            if (!floating.host.empty()) hosts.insert(floating.host);
    }
    return hosts;
}

Task<Result<TranslationCounts>> read_translations(std::shared_ptr<openflow::Session> session) {
    TranslationCounts counts;
    for (const auto stage : {Stage::nat_in, Stage::nat_out}) {
        const openflow::FlowFilter filter{.table = pipeline::table_of(stage)};
        const auto dump = co_await session->dump(filter);
        if (!dump) co_return std::unexpected(dump.error());
        for (const auto& stats : dump->flows) {
            const auto owner = pipeline::owner_of(stats.flow.cookie);
            if (!owner || owner->reason != pipeline::Reason::none || !translates(stats.flow)) continue;
            counts[{owner->kind, owner->object}] += {stats.packets, stats.bytes};
        }
    }
    co_return counts;
}

} // namespace weft::controller
