// Commands that take a topology file: validate, plan, apply.
#include "cli/commands.hpp"
#include "cli/converge.hpp"
#include "cli/json_text.hpp"
#include "cli/plan_text.hpp"
#include "topology/parse.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <ostream>

namespace weft::cli {

namespace json = boost::json;

namespace {

// Compiling a large topology takes its time, and a first apply also stores it.
constexpr Milliseconds kCompileTimeout{300'000};
// A host that is down or refuses for this long after an apply is believed to stay so.
constexpr std::chrono::seconds kGrace{1};

std::string count_of(std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
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
std::expected<json::value, int> post(Context& context, const char* target, const std::string& path) {
    const auto sources = topology::load(path);
    if (!sources) return std::unexpected(complain(context, sources.error()));
    json::array files;
    for (const auto& source : *sources)
        files.push_back(json::object{{"name", source.name}, {"text", source.text}});
    const auto body = json::serialize(json::object{{"source", path}, {"sources", std::move(files)}});
    auto answer = context.daemon.call("POST", target, body, kCompileTimeout);
    if (!answer) return std::unexpected(complain(context, answer.error()));
    if (answer->status == 200) return std::move(answer->body);
    if (answer->status != 422) return std::unexpected(complain(context, context.daemon.error_of(*answer)));
    if (context.json) context.environment.out << pretty(answer->body);
    const auto& problems = items(at(answer->body, "problems"));
    for (const auto& problem : problems)
        context.environment.err << words_at(problem, "rendered");
    context.environment.err << fmt::format("{}: {}, nothing was changed\n", path, count_of(problems.size(), "problem"));
    return std::unexpected(kError);
}

void print_host(Context& context, std::string_view name, std::string_view state, std::string_view reason) {
    context.environment.out << name << ": " << coloured(state, colour_of_state(state), context.colours)
                            << (reason.empty() ? "" : ", ") << reason << '\n'
                            << std::flush;
}

} // namespace

int validate(Context& context, const std::string& path) {
    const auto sources = topology::load(path);
    if (!sources) return complain(context, sources.error());
    const auto parsed = topology::parse(*sources);
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

int apply(Context& context, const std::string& path, std::chrono::seconds timeout) {
    auto applied = post(context, "/v1/apply", path);
    if (!applied) return applied.error();
    auto& environment = context.environment;
    const auto revision = count_at(*applied, "revision");
    if (!context.json) {
        print_plan(environment.out, at(*applied, "plan"), context.colours);
        for (const auto& notice : items(at(*applied, "notices")))
            environment.out << "note: " << printable(words(notice)) << '\n';
        environment.out << "\nrevision " << revision << " is in force\n" << std::flush;
    }
    // Done when nobody is left to wait for: a host that is down or refuses gets a moment to think better of it.
    const auto grace_ends = SteadyClock::now() + kGrace;
    const auto status = poll_status(context, timeout, [&](const json::value& now) {
        const auto behind = laggards(now, revision);
        return behind.empty() || (SteadyClock::now() >= grace_ends && std::ranges::all_of(behind, &Laggard::unable));
    });
    if (!status) return complain(context, status.error());
    const auto behind = laggards(*status, revision);
    if (context.json) {
        if (auto* object = applied->if_object()) {
            (*object)["converged"] = behind.empty();
            (*object)["hosts"] = at(*status, "hosts");
        }
        environment.out << pretty(*applied);
    } else {
        for (const auto& host : items(at(*status, "hosts"))) {
            print_host(context, printable(words_at(host, "name")), printable(words_at(host, "state")),
                       printable(words_at(host, "reason")));
        }
    }
    if (behind.empty()) return kDone;
    std::string names;
    for (const auto& laggard : behind)
        names += (names.empty() ? "" : ", ") + laggard.name;
    environment.err << fmt::format("{} without revision {}: {}; weftd goes on trying, weftctl status shows how\n",
                                   count_of(behind.size(), "host"), revision, names);
    return kNo;
}

} // namespace weft::cli
