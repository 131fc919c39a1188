// The way of a packet through the flows that the hosts hold now, in the keys of docs/api.md.
#include "controller/api.hpp"
#include "controller/installed.hpp"
#include "controller/trace_words.hpp"
#include "pipeline/stages.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace weft::controller::view {
namespace json = boost::json;
namespace {

using fabric::Outcome;

/// A probe's walk over what is installed; hosts are read as the packet comes to them.
struct Traced {
    fabric::Walk walk;
    fabric::Connections connections;
};

Task<Result<Traced>> trace_probe(const fabric::World& world, Installed& installed, const fabric::Probe& probe,
                                 const fabric::Connections& before) {
    while (true) {
        Traced traced{{}, before};
        traced.walk = fabric::walk(world, installed, traced.connections, probe.entrance, probe.packet);
        if (traced.walk.missing.empty()) co_return traced;
        for (const auto& host : traced.walk.missing)
            if (auto read = co_await installed.read(host); !read) co_return std::unexpected(read.error());
    }
}

std::string_view stage_name(std::uint8_t table) {
    const auto* stage = pipeline::stage_of_table(table);
    return stage == nullptr ? "" : stage->name;
}

json::object object_of(const TraceWords& words, const Outcome& outcome) {
    const auto verdict = words.verdict(outcome);
    json::array path;
    for (const auto& step : words.path(*outcome.end))
        path.push_back({{"host", step.host},
                        {"stage", stage_name(step.table)},
                        {"table", step.table},
                        {"object", step.object},
                        {"source", step.source},
                        {"action", step.action},
                        {"match", step.match},
                        {"flow_actions", step.flow_actions}});
    return {{"verdict", verdict.verdict}, {"reason", verdict.reason}, {"by", verdict.by},       {"at", verdict.at},
            {"source", verdict.source},   {"text", verdict.text},     {"path", std::move(path)}};
}

json::array texts(const std::vector<std::string>& one, const std::vector<std::string>& other) {
    json::array result;
    for (const auto* list : {&one, &other})
        for (const auto& text : *list)
            if (std::ranges::find(result, json::value(text)) == result.end()) result.emplace_back(text);
    return result;
}

/// Where no switch was come to: nothing was asked for that can go anywhere.
json::object nowhere(const fabric::Probe& probe) {
    return {{"verdict", "dropped"},
            {"reason", "unknown_destination"},
            {"by", ""},
            {"at", ""},
            {"source", ""},
            {"text", fmt::format("dropped: no host answers on {} to {}", probe.entrance.physnet,
                                 TraceWords::packet(probe.packet))},
            {"path", json::array{}}};
}

} // namespace

Task<Result<json::value>> trace(const Supervisor& supervisor, fabric::Question question, bool reply) {
    // One world for all of it, also while the hosts are read.
    const auto world = supervisor.intent().published().world;
    auto probe = fabric::probe(*world, question);
    if (!probe) co_return std::unexpected(probe.error());
    Installed installed(supervisor);
    auto traced = co_await trace_probe(*world, installed, *probe, {});
    if (!traced) co_return std::unexpected(traced.error());
    auto outcome = fabric::outcome(traced->walk, *probe);
    auto assumed = probe->assumed;
    json::object result;
    if (reply && outcome.verdict == Outcome::Verdict::delivered && !outcome.answered && outcome.end != nullptr) {
        const auto arrived = traced->walk.step({outcome.end->passage, outcome.end->step}).packet;
        const auto answer = fabric::answer_probe(*world, *probe, *outcome.end, arrived);
        auto back = co_await trace_probe(*world, installed, answer, traced->connections);
        if (!back) co_return std::unexpected(back.error());
        const auto end = fabric::outcome(back->walk, answer);
        result = end.end == nullptr ? nowhere(answer) : object_of(TraceWords(*world, answer, back->walk), end);
        result["packet"] = TraceWords::packet(answer.packet);
        result["connection"] = "a reply";
        result["assumed"] = texts(assumed, back->connections.assumed);
        co_return json::value(std::move(result));
    }
    result = outcome.end == nullptr ? nowhere(*probe) : object_of(TraceWords(*world, *probe, traced->walk), outcome);
    result["packet"] = TraceWords::packet(probe->packet);
    result["connection"] = "new";
    if (reply && outcome.answered)
        assumed.emplace_back("the switch makes the answer itself: there is no other");
    else if (reply)
        assumed.emplace_back("there is no answer to trace: this is the way of the request");
    result["assumed"] = texts(assumed, traced->connections.assumed);
    co_return json::value(std::move(result));
}

} // namespace weft::controller::view
