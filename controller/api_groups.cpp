// Security groups and ACLs: who is in them, where, and what each rule has let pass, in the keys of docs/api.md.
#include "controller/api.hpp"
#include "pipeline/cookie.hpp"
#include "pipeline/stages.hpp"
#include "topology/ids.hpp"

#include <boost/json.hpp>
#include <set>

namespace weft::controller::view {
namespace json = boost::json;
namespace {

using pipeline::Stage;

struct Count {
    std::uint64_t packets = 0, bytes = 0;
};
using Counts = std::map<ObjectId, Count>;

/// What the flows of one kind of owner counted in the stages, on all hosts together.
Task<Counts> read_counts(const Supervisor& supervisor, Kind kind, std::array<Stage, 2> stages) {
    std::vector<std::shared_ptr<openflow::Session>> sessions; // hosts may come and go while we wait
    for (const auto& [_, host] : supervisor.hosts())
        if (const auto session = host.flows->session()) sessions.push_back(session);
    Counts counts;
    for (const auto& session : sessions)
        for (const auto stage : stages) {
            const openflow::FlowFilter filter{.table = pipeline::table_of(stage),
                                              .cookie = static_cast<std::uint64_t>(kind) << 56,
                                              .cookie_mask = std::uint64_t{0xff} << 56};
            const auto dump = co_await session->dump(filter);
            if (!dump) break; // the host went down meanwhile: its counters are gone with it
            for (const auto& stats : dump->flows) {
                const auto owner = pipeline::owner_of(stats.flow.cookie);
                if (!owner) continue; // made by hand
                auto& count = counts[owner->object];
                count.packets += stats.packets;
                count.bytes += stats.bytes;
            }
        }
    co_return counts;
}

/// "rule" or "entry", its place, and what it counted. `id_of` gives its id.
template <class Rules, class IdOf>
json::array counted(std::string_view key, const std::string& name, const Rules& rules, IdOf id_of,
                    const Counts& counts) {
    json::array result;
    std::set<ObjectId> said; // one that stands twice is one on the switches
    for (const auto& rule : rules) {
        const auto id = id_of(name, rule);
        const auto found = counts.find(id);
        const auto count = found == counts.end() || !said.insert(id).second ? Count{} : found->second;
        result.push_back({{key, rule.to_string()},
                          {"declared", rule.origin.to_string()},
                          {"packets", count.packets},
                          {"bytes", count.bytes}});
    }
    return result;
}

json::object group_object(const Supervisor& supervisor, const topology::SecurityGroup& group, const Counts& counts) {
    const auto& world = *supervisor.intent().published().world;
    json::array ports;
    for (const auto& [name, port] : world.topology->ports)
        if (std::ranges::find(port.security_groups, group.name) != port.security_groups.end()) ports.emplace_back(name);
    json::array hosts;
    for (const auto& [name, host] : world.hosts)
        if (host->groups.contains(group.name)) hosts.emplace_back(name);
    return {{"name", group.name},
            {"ports", std::move(ports)},
            {"hosts", std::move(hosts)},
            {"rules", counted("rule", group.name, group.rules, topology::rule_id, counts)}};
}

Task<Counts> rule_counts(const Supervisor& supervisor) {
    co_return co_await read_counts(supervisor, Kind::security_rule, {Stage::egress_rules, Stage::ingress_rules});
}

} // namespace

Task<json::value> groups(const Supervisor& supervisor) {
    const auto counts = co_await rule_counts(supervisor);
    json::array result;
    for (const auto& [_, group] : supervisor.intent().topology().security_groups)
        result.push_back(group_object(supervisor, group, counts));
    co_return json::value(std::move(result));
}

Task<json::value> show_group(const Supervisor& supervisor, std::string name) {
    const auto counts = co_await rule_counts(supervisor);
    const auto& groups = supervisor.intent().topology().security_groups;
    const auto group = groups.find(name);
    if (group == groups.end()) co_return nullptr;
    auto object = group_object(supervisor, group->second, counts);
    object["declared"] = group->second.origin.to_string();
    co_return json::value(std::move(object));
}

Task<json::array> acl(const Supervisor& supervisor, std::string network) {
    const auto counts = co_await read_counts(supervisor, Kind::acl_entry, {Stage::filter_out, Stage::filter_in});
    const auto& networks = supervisor.intent().topology().networks;
    const auto found = networks.find(network);
    if (found == networks.end()) co_return json::array{};
    co_return counted("entry", network, found->second.acl, topology::entry_id, counts);
}

} // namespace weft::controller::view
