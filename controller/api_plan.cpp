// What a candidate topology would change: objects, and per host the flows, groups, meters and rows that apply would
// send (controller/foresight).
#include "controller/api.hpp"

#include <boost/json.hpp>

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
    result["leaves"] = host.leaves;
    return result;
}

} // namespace

json::value plan(const Supervisor& supervisor, const Candidate& candidate) {
    const auto foresight = supervisor.foresee(candidate);
    json::array objects;
    for (const auto& change : topology::difference(*foresight.now->topology, *foresight.then->topology))
        objects.push_back({{"op", symbol(change.op)}, {"kind", weft::name_of(change.kind)}, {"name", change.name}});
    json::array hosts;
    for (const auto& [name, host] : foresight.hosts)
        hosts.push_back(foreseen(name, host));
    // Of two worlds: foresight.now and foresight.then.
    json::array reachability;
    return json::object{
        {"objects", std::move(objects)}, {"hosts", std::move(hosts)}, {"reachability", std::move(reachability)}};
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
