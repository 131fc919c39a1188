// Supervisor::foresee: in two steps. First what is sent at once, all of which is known. Then whether that is all: the
// ports that the rows make are imagined to have numbers, and what the hosts would tell of them enters by the same door
// as if they had told it.
#include "controller/foresight.hpp"

#include "controller/supervisor.hpp"

#include <algorithm>

namespace weft::controller {
namespace {

ovsdb::DesiredRows rows_of(const RowsAgent::Wanted& wanted) {
    return fabric::desired_rows(wanted.host, {{}, wanted.watched, wanted.withdrawn, wanted.qos});
}

const topology::Host* host_of(const fabric::World& world, const std::string& name) {
    const auto found = world.topology->hosts.find(name);
    return found == world.topology->hosts.end() ? nullptr : &found->second;
}

/// The bridge dials in anew, holding nothing.
bool is_remade(const topology::Host& before, const topology::Host& after) {
    return before.bridge != after.bridge || before.datapath != after.datapath;
}

/// Switches take what they are sent: whoever returns is led to.
void acknowledge(Intent& imagined) {
    for (const auto& [_, host] : fabric::Returning(imagined.state().learnt.returning))
        imagined.note_reached(host, imagined.published());
}

} // namespace

std::set<std::string> moved_gateways(const std::map<std::string, std::string>& before,
                                     const std::map<std::string, std::string>& now) {
    std::set<std::string> moved;
    for (const auto& [gateway, host] : now)
        if (const auto last = before.find(gateway);
            !host.empty() && last != before.end() && !last->second.empty() && last->second != host)
            moved.insert(gateway);
    return moved;
}

bool has_any(const fabric::HostView& host, const std::set<std::string>& gateways) {
    return std::ranges::any_of(gateways, [&](const auto& gateway) { return host.gateways.contains(gateway); });
}

std::optional<ovsdb::RowCounts> Supervisor::rows_to_send(const std::string& name, const fabric::World& then) const {
    const auto agent = hosts_.find(name);
    if (agent == hosts_.end()) return std::nullopt;
    if (const auto* host = host_of(then, name)) return agent->second.rows->to_send(wanted(*host, then));
    const auto& now = *intent_.published().world;
    auto leaving = wanted(*host_of(now, name), now);
    leaving.leaving = true;
    return agent->second.rows->to_send(leaving);
}

HostForesight Supervisor::foresee(const std::string& name, const Intent& next) const {
    const auto& then = next.published().world;
    HostForesight host{.to_switch = {}, .rows = rows_to_send(name, *then)};
    const auto* before = host_of(*intent_.published().world, name);
    const auto* after = host_of(*then, name);
    host.leaves = after == nullptr;
    host.unplugs = before && after && before->bridge != after->bridge;
    if (host.leaves)
        host.to_switch.emplace();
    else if (const auto agent = hosts_.find(name); agent != hosts_.end() && before && !is_remade(*before, *after))
        host.to_switch =
            agent->second.flows->to_send(then, has_any(*then->hosts.at(name), moved_gateways(active_, next.active())));
    return host;
}

std::optional<fabric::Observation> Supervisor::numbered(const std::string& name, const Intent& next) const {
    const auto& now = *intent_.published().world;
    const auto& then = *next.published().world;
    const auto* before = host_of(now, name);
    fabric::Observation seen;
    seen.claims = next.claims().claims_of(name);
    std::set<std::uint32_t> taken;
    for (const auto& claim : seen.claims)
        taken.insert(claim.ofport);
    const auto& facts = then.hosts.at(name)->facts;
    seen.facts = fabric::facts_under(facts, before ? rows_of(wanted(*before, now)) : ovsdb::DesiredRows{},
                                     rows_of(wanted(*host_of(then, name), then)), std::move(taken));
    if (seen.facts == facts) return std::nullopt;
    if (const auto known = next.health().reachable.find(name); known != next.health().reachable.end())
        seen.reachable = known->second;
    const auto& dead_links = next.state().learnt.dead_links;
    if (const auto known = dead_links.find(name); known != dead_links.end()) seen.dead_links = known->second;
    return seen;
}

Foresight Supervisor::foresee(const Candidate& candidate) const {
    const auto now = intent_.published().world;
    if (intent_.changes_nothing(candidate)) return {now, now, {}};
    auto next = intent_.imagine(candidate);
    const auto then = next.published().world;
    Foresight foresight{now, then, {}};
    for (const auto* world : {now.get(), then.get()})
        for (const auto& [name, _] : world->hosts)
            if (!foresight.hosts.contains(name)) foresight.hosts.emplace(name, foresee(name, next));

    std::map<std::string, fabric::Observation> observations;
    for (const auto& [name, host] : foresight.hosts) {
        const bool joins = !hosts_.contains(name);
        if (host.leaves || !(joins || (host.rows && host.rows->total() > 0))) continue;
        if (auto seen = numbered(name, next)) observations.emplace(name, std::move(*seen));
    }
    const auto active = next.active();
    for (const auto& [name, seen] : observations)
        next.observe(name, seen);
    acknowledge(next);
    const auto& later = next.published().world;
    const auto gateways = moved_gateways(active, next.active());
    for (auto& [name, host] : foresight.hosts)
        host.more = host.to_switch && host.rows && !host.leaves &&
                    (!fabric::delta(*then, *later, name).empty() || has_any(*later->hosts.at(name), gateways) ||
                     !wanted(*host_of(*later, name), *then).same_as(wanted(*host_of(*later, name), *later)));
    return foresight;
}

} // namespace weft::controller
