// Live flows with counters, each named by its owner.
#include "controller/api.hpp"
#include "controller/names.hpp"
#include "controller/port_meters.hpp"
#include "openflow/codec.hpp"
#include "pipeline/cookie.hpp"
#include "pipeline/stages.hpp"
#include "topology/nearest.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace weft::controller::view {
namespace json = boost::json;
namespace {

std::string_view reason_of(const openflow::FlowStats& flow) {
    const auto owner = pipeline::owner_of(flow.flow.cookie);
    return owner ? pipeline::name_of(owner->reason) : "";
}

bool wanted(const FlowQuery& query, const openflow::FlowStats& flow, const std::string& owner) {
    // The flows of a group are its rules' too, those of a network its ACL's.
    if (!query.owner.empty() && owner != query.owner && !owner.starts_with(query.owner + " ")) return false;
    if (!query.stage.empty() && stage_name(flow.flow.table) != query.stage) return false;
    if (query.hits && flow.packets == 0) return false;
    return !query.drops || !reason_of(flow).empty();
}

json::object flow_object(const std::string& host, const openflow::FlowStats& flow, const std::string& owner,
                         const Names& names, bool raw) {
    return {{"host", host},
            {"table", flow.flow.table},
            {"stage", stage_name(flow.flow.table)},
            {"priority", flow.flow.priority},
            {"match", raw ? openflow::to_string(flow.flow.match) : names.match(flow.flow.match)},
            {"actions", raw ? openflow::to_string(flow.flow.actions) : names.actions(flow.flow.actions)},
            {"owner", owner},
            {"reason", reason_of(flow)},
            {"packets", flow.packets},
            {"bytes", flow.bytes}};
}

/// The stage of a port's meter, and what it is of.
std::pair<pipeline::Stage, const char*> place_of(const MeterDrops& drops) {
    switch (drops.reason) {
    case pipeline::Reason::new_connection_rate:
        return {pipeline::Stage::state, "meter of new connections"};
    case pipeline::Reason::rate:
        if (drops.to_port) return {pipeline::Stage::output, "meter of what goes to it"};
        return {pipeline::Stage::guard, "meter of what it sends"};
    default:
        return {pipeline::Stage::respond, "meter of questions to weft"};
    }
}

/// What a port's meter dropped, in the shape of a flow: no flow counts it.
json::array drops_of_meters(const std::string& host, const fabric::HostView& view,
                            const std::vector<openflow::MeterStats>& stats, const FlowQuery& query) {
    json::array result;
    for (const auto& dropped : meter_drops(view, stats)) {
        const auto [stage, meter] = place_of(dropped);
        const auto owner = "port/" + dropped.port;
        if (!query.owner.empty() && query.owner != owner) continue;
        if (!query.stage.empty() && query.stage != pipeline::info(stage).name) continue;
        if (query.hits && dropped.packets == 0) continue;
        result.push_back({{"host", host},
                          {"table", pipeline::table_of(stage)},
                          {"stage", pipeline::info(stage).name},
                          {"priority", nullptr},
                          {"match", meter},
                          {"actions", "drop"},
                          {"owner", owner},
                          {"reason", pipeline::name_of(dropped.reason)},
                          {"packets", dropped.packets},
                          {"bytes", dropped.bytes}});
    }
    return result;
}

/// What the query names and is not there. Nothing: all is.
std::optional<std::string> misnamed(const Supervisor& supervisor, const FlowQuery& query) {
    const auto lacks = [](std::string_view what, const std::string& name, const std::string& remedy) {
        return fmt::format("no {} '{}'{}{}", what, name, remedy.empty() ? "" : ": ", remedy);
    };
    if (!query.host.empty() && !supervisor.hosts().contains(query.host))
        return lacks("host", query.host, topology::nearest_key(query.host, supervisor.hosts()));
    if (!query.stage.empty() && !pipeline::stage_named(query.stage)) {
        topology::Nearest nearest(query.stage);
        for (const auto& stage : pipeline::kStages)
            nearest.offer(stage.name);
        return lacks("stage", query.stage, nearest.remedy());
    }
    if (query.owner.empty()) return std::nullopt;
    const auto remedy = Names(*supervisor.intent().published().world).misnamed(query.owner);
    return remedy ? std::optional(lacks("object", query.owner, *remedy)) : std::nullopt;
}

/// Appends those of one host. Errors as of the session's.
Task<Result<>> read_flows(const Supervisor& supervisor, const FlowQuery& query, const std::string& host,
                          std::shared_ptr<openflow::Session> session, json::array& result) {
    auto dump = co_await session->dump();
    if (!dump) co_return std::unexpected(dump.error());
    const auto stats = co_await session->meter_stats();
    if (!stats) co_return std::unexpected(stats.error());
    std::ranges::sort(dump->flows, [](const auto& a, const auto& b) {
        return std::tuple(a.flow.table, b.flow.priority) < std::tuple(b.flow.table, a.flow.priority);
    });
    const auto& world = *supervisor.intent().published().world;
    const Names names(world);
    for (const auto& flow : dump->flows) {
        const auto owner = names.owner(flow.flow.cookie);
        if (wanted(query, flow, owner)) result.push_back(flow_object(host, flow, owner, names, query.raw));
    }
    if (const auto view = world.hosts.find(host); view != world.hosts.end())
        for (auto& drop : drops_of_meters(host, *view->second, *stats, query))
            result.push_back(std::move(drop));
    co_return Result<>{};
}

} // namespace

Task<Result<Flows>> flows(const Supervisor& supervisor, FlowQuery query) {
    if (auto wrong = misnamed(supervisor, query)) co_return fail(ErrorKind::invalid, std::move(*wrong));
    std::vector<std::pair<std::string, std::shared_ptr<SwitchAgent>>> switches; // hosts may go while we wait
    for (const auto& [name, agent] : supervisor.hosts())
        if (query.host.empty() || query.host == name) switches.emplace_back(name, agent.flows);
    Flows result;
    for (const auto& [host, agent] : switches) {
        const auto session = agent->session();
        Result<> read = fail(ErrorKind::io, agent->reason());
        if (session) read = co_await read_flows(supervisor, query, host, session, result.flows);
        if (read) continue;
        if (!query.host.empty())
            co_return fail(ErrorKind::io, fmt::format("{} does not answer: {}", host, read.error().text));
        result.missing.push_back(host);
    }
    co_return result;
}

} // namespace weft::controller::view
