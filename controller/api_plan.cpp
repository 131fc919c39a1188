// What a candidate topology would change: objects, and per host the flows, groups and rows that apply would send.
#include "controller/api.hpp"
#include "fabric/compile.hpp"

#include <boost/json.hpp>
#include <set>

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

template <class Delta>
json::object counts(const Delta& delta) {
    return {{"add", delta.add.size()}, {"change", delta.change.size()}, {"remove", delta.remove.size()}};
}

} // namespace

json::value plan(const Supervisor& supervisor, const Candidate& candidate) {
    const auto& intent = supervisor.intent();
    json::array objects;
    for (const auto& change : topology::difference(intent.topology(), *candidate.topology))
        objects.push_back({{"op", symbol(change.op)}, {"kind", weft::name_of(change.kind)}, {"name", change.name}});

    const auto imagined = intent.imagine(candidate);
    const auto& world = *intent.published().world;
    std::set<std::string> names;
    for (const auto& [name, _] : world.hosts)
        names.insert(name);
    for (const auto& [name, _] : imagined->hosts)
        names.insert(name);
    json::array hosts;
    for (const auto& name : names) {
        const auto delta = fabric::delta(world, *imagined, name);
        const auto rows = supervisor.rows_to_change(*candidate.topology, name);
        hosts.push_back({{"name", name},
                         {"flows", counts(delta.flows)},
                         {"groups", counts(delta.groups)},
                         {"rows", rows ? json::value(*rows) : json::value(nullptr)}});
    }
    return json::object{{"objects", std::move(objects)}, {"hosts", std::move(hosts)}, {"reachability", json::array()}};
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
