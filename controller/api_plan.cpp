// What a candidate topology would change: objects, and per host the flows, groups, meters and rows that apply would
// send (controller/foresight).
#include "controller/api.hpp"
#include "fabric/reachability.hpp"

#include <boost/asio/thread_pool.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weft::controller::view {
namespace json = boost::json;
namespace {

std::string_view symbol(topology::Op op) {
    switch (op) {
    case topology::Op::add:
        return "+";
    case topology::Op::change:
        return "~";
    case topology::Op::remove:
        return "-";
    }
    return "";
}

/// More than anybody reads; the answer stays below a megabyte.
constexpr std::size_t kMostPairs = 5000;

/// Long pure work, on a thread of its own, so that the daemon's goes on.
template <class Work>
Task<std::invoke_result_t<Work>> elsewhere(Work work) {
    static asio::thread_pool pool(1);
    co_return co_await asio::co_spawn(
        // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines): co_spawn keeps it as long as it runs
        pool, [work = std::move(work)]() -> Task<std::invoke_result_t<Work>> { co_return work(); },
        asio::use_awaitable);
}

json::object counts(const auto& of) {
    return {{"add", of.add}, {"change", of.change}, {"remove", of.remove}};
}

json::object foreseen(const std::string& name, const HostForesight& host) {
    const json::value unknown(nullptr);
    json::object result{{"name", name}};
    const auto& to_switch = host.to_switch;
    result["flows"] = to_switch ? counts(to_switch->flows) : unknown;
    result["groups"] = to_switch ? counts(to_switch->groups) : unknown;
    result["meters"] = to_switch ? counts(to_switch->meters) : unknown;
    result["rows"] = host.rows ? counts(*host.rows) : unknown;
    result["forgetting"] = to_switch ? json::value(to_switch->forgetting) : unknown;
    result["more"] = host.more;
    result["unplugs"] = host.unplugs;
    result["leaves"] = host.leaves;
    return result;
}

} // namespace

json::value plan(const Foresight& foresight) {
    json::array objects;
    for (const auto& change : topology::difference(*foresight.now->topology, *foresight.then->topology))
        objects.push_back({{"op", symbol(change.op)}, {"kind", weft::name_of(change.kind)}, {"name", change.name}});
    json::array hosts;
    for (const auto& [name, host] : foresight.hosts)
        hosts.push_back(foreseen(name, host));
    return json::object{{"objects", std::move(objects)},
                        {"hosts", std::move(hosts)},
                        {"reachability", json::array{}},
                        {"reachability_left_out", 0}};
}

Task<void> add_reachability(json::value& plan, Liveness live, Foresight foresight) {
    if (foresight.now == foresight.then) co_return;
    const auto difference = co_await elsewhere([now = foresight.now, then = foresight.then, live = std::move(live)] {
        return fabric::reach_difference(*now, *then, live, kMostPairs);
    });
    json::array reachability;
    for (const auto& change : difference.changes) {
        std::vector<std::string> ports;
        ports.reserve(change.ports.size());
        for (const auto& range : change.ports)
            ports.push_back(range.to_string());
        reachability.push_back({{"from", change.from},
                                {"to", change.to},
                                {"protocol", change.protocol},
                                {"ports", fmt::format("{}", fmt::join(ports, ","))},
                                {"op", change.gained ? "+" : "-"}});
    }
    plan.as_object()["reachability"] = std::move(reachability);
    plan.as_object()["reachability_left_out"] = difference.left_out;
}

json::value problems(const std::vector<topology::Problem>& problems, const std::vector<topology::Source>& sources) {
    json::array result;
    for (const auto& problem : problems)
        result.push_back({{"severity", problem.severity == topology::Severity::error ? "error" : "warning"},
                          {"file", problem.where.file},
                          {"line", problem.where.line},
                          {"column", problem.where.column},
                          {"text", problem.text},
                          {"remedy", problem.remedy},
                          {"rendered", topology::render(problem, sources)}});
    return result;
}

} // namespace weft::controller::view
