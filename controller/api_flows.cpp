// Live flows with counters, each named by its owner.
#include "controller/api.hpp"
#include "controller/names.hpp"
#include "controller/port_meters.hpp"
#include "openflow/codec.hpp"
#include "pipeline/cookie.hpp"
#include "pipeline/stages.hpp"

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

} // namespace

Task<json::value> flows(const Supervisor& supervisor, FlowQuery query) {
    std::vector<std::pair<std::string, std::shared_ptr<openflow::Session>>> sessions;
    for (const auto& [name, agent] : supervisor.hosts())
        if (const auto session = agent.flows->session(); session && (query.host.empty() || query.host == name))
            sessions.emplace_back(name, session);
    json::array result;
    for (const auto& [host, session] : sessions) {
        auto dump = co_await session->dump();
        if (!dump) continue; // the host went down meanwhile: status says so
        std::ranges::sort(dump->flows, [](const auto& a, const auto& b) {
            return std::tuple(a.flow.table, b.flow.priority) < std::tuple(b.flow.table, a.flow.priority);
        });
        const Names names(*supervisor.intent().published().world);
        for (const auto& flow : dump->flows) {
            const auto owner = names.owner(flow.flow.cookie);
            if (wanted(query, flow, owner)) result.push_back(flow_object(host, flow, owner, names, query.raw));
        }
        const auto stats = co_await session->meter_stats();
        const auto& hosts = supervisor.intent().published().world->hosts;
        if (const auto view = hosts.find(host); stats && view != hosts.end())
            for (auto& drop : drops_of_meters(host, *view->second, *stats, query))
                result.push_back(std::move(drop));
    }
    co_return json::value(std::move(result));
}

} // namespace weft::controller::view
