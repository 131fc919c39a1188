#include "nat/groups.hpp"

#include "pipeline/fields.hpp"

namespace weft::nat {
namespace {

using namespace pipeline;

const std::uint32_t* watch_of(const Candidate& candidate, const Site& here) {
    if (!candidate.vtep) return nullptr;
    const auto found = here.watched.find(*candidate.vtep);
    return found == here.watched.end() || found->second == 0 ? nullptr : &found->second;
}

} // namespace

openflow::Actions to_candidate(const Gateway& gateway, const Candidate& candidate) {
    auto way = to_vtep(gateway.numbers.vni, *candidate.vtep);
    of::append(way, {forget_in_port(), again_to(Stage::output)});
    return way;
}

std::optional<openflow::GroupEntry> to_active(const Gateway& gateway, const Site& here) {
    openflow::GroupEntry group{group_id(gateway, Gate::to_active), openflow::GroupType::fast_failover, {}};
    const auto lead_to = [&](const Candidate& candidate) {
        if (candidate.host == here.host) {
            if (here.uplink != 0) group.buckets.push_back({{again_to(Stage::nat_out)}, here.uplink});
        } else if (const auto* watch = watch_of(candidate, here)) {
            group.buckets.push_back({to_candidate(gateway, candidate), *watch});
        }
    };
    for (const auto& candidate : gateway.candidates)
        if (candidate.in_service) lead_to(candidate);
    for (const auto& candidate : gateway.candidates)
        if (candidate.ready && !candidate.in_service) lead_to(candidate);
    if (group.buckets.empty()) return std::nullopt;
    return group;
}

std::optional<openflow::GroupEntry> gate(const Gateway& gateway, const Site& here, Gate which, openflow::Actions open,
                                         const std::function<openflow::Actions(const Candidate&)>& shut) {
    openflow::GroupEntry group{group_id(gateway, which), openflow::GroupType::fast_failover, {}};
    for (const auto& candidate : gateway.candidates) {
        if (candidate.host == here.host) {
            if (!candidate.ready) return std::nullopt;
            group.buckets.push_back({std::move(open), here.uplink});
            return group;
        }
        if (!candidate.in_service) continue;
        if (const auto* watch = watch_of(candidate, here)) group.buckets.push_back({shut(candidate), *watch});
    }
    return std::nullopt;
}

} // namespace weft::nat
