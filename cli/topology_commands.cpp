// Commands that take a topology file: validate, plan, apply.
#include "cli/change.hpp"
#include "cli/commands.hpp"
#include "cli/json_text.hpp"
#include "cli/plan_text.hpp"
#include "topology/allocate.hpp"
#include "topology/parse.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <iterator>
#include <ostream>

namespace weft::cli {

namespace json = boost::json;

namespace {

/// What weftd finds when it gives numbers and addresses is found here too: that there are too few.
topology::Parsed parsed_and_allocated(const std::vector<topology::Source>& sources) {
    auto parsed = topology::parse(sources);
    if (parsed.ok()) std::ranges::move(allocate(parsed.topology, {}, {}).problems, std::back_inserter(parsed.problems));
    return parsed;
}

json::array problems_json(const topology::Parsed& parsed, const std::vector<topology::Source>& sources) {
    json::array problems;
    for (const auto& problem : parsed.problems) {
        problems.push_back(
            json::object{{"severity", problem.severity == topology::Severity::error ? "error" : "warning"},
                         {"file", problem.where.file},
                         {"line", problem.where.line},
                         {"column", problem.where.column},
                         {"text", problem.text},
                         {"remedy", problem.remedy},
                         {"rendered", topology::render(problem, sources)}});
    }
    return problems;
}

/// The 200 of a POST of the topology at `path`, or the exit code after the reason was printed.
std::expected<json::value, int> post(Context& context, const char* target, const std::string& path,
                                     std::optional<std::chrono::seconds> confirm_within = {}) {
    const auto sources = topology::load(path);
    if (!sources) return std::unexpected(complain(context, sources.error()));
    json::array files;
    for (const auto& source : *sources)
        files.push_back(json::object{{"name", source.name}, {"text", source.text}});
    json::object body{{"source", path}, {"sources", std::move(files)}};
    if (confirm_within) body["confirm_within"] = confirm_within->count();
    return post_change(context, target, body, path);
}

} // namespace

int validate(Context& context, const std::string& path) {
    const auto sources = topology::load(path);
    if (!sources) return complain(context, sources.error());
    const auto parsed = parsed_and_allocated(*sources);
    auto& environment = context.environment;
    if (context.json) {
        environment.out << pretty(json::object{{"problems", problems_json(parsed, *sources)}});
        return parsed.ok() ? kDone : kError;
    }
    for (const auto& problem : parsed.problems)
        environment.err << topology::render(problem, *sources);
    const auto errors = static_cast<std::size_t>(std::ranges::count_if(
        parsed.problems, [](const auto& problem) { return problem.severity == topology::Severity::error; }));
    const auto warnings = parsed.problems.size() - errors;
    if (!parsed.ok()) {
        environment.err << fmt::format("{}: {}{}\n", path, count_of(errors, "error"),
                                       warnings == 0 ? "" : ", " + count_of(warnings, "warning"));
        return kError;
    }
    const auto& topology = parsed.topology;
    environment.out << fmt::format(
        "{}: valid{}: {}, {}, {}, {}\n", path, warnings == 0 ? "" : " with " + count_of(warnings, "warning"),
        count_of(topology.hosts.size(), "host"), count_of(topology.networks.size(), "network"),
        count_of(topology.ports.size(), "port"), count_of(topology.routers.size(), "router"));
    return kDone;
}

int plan(Context& context, const std::string& path) {
    const auto planned = post(context, "/v1/plan", path);
    if (!planned) return planned.error();
    if (context.json)
        context.environment.out << pretty(*planned);
    else
        print_plan(context.environment.out, *planned, context.colours);
    return changes_anything(*planned) ? kNo : kDone;
}

int apply(Context& context, const std::string& path, std::chrono::seconds timeout,
          std::optional<std::chrono::seconds> confirm_within) {
    auto applied = post(context, "/v1/apply", path, confirm_within);
    if (!applied) return applied.error();
    const auto revision = count_at(*applied, "revision");
    if (!context.json) {
        auto& out = context.environment.out;
        print_change(context, *applied);
        const auto confirmed = count_at(*applied, "confirmed");
        if (confirmed != 0)
            out << "revision " << confirmed << " is confirmed" << (confirmed == revision ? "" : " by this apply")
                << '\n';
        if (confirmed != revision) out << "revision " << revision << " is in force\n";
        if (const auto trial = trial_text(*applied); !trial.empty())
            out << trial << '\n';
        else if (confirm_within)
            out << "nothing to confirm: nothing changed\n";
        out << std::flush;
    }
    return await_hosts(context, std::move(*applied), timeout);
}

} // namespace weft::cli
