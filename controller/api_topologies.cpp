// What brings topologies into force, and what was in force: plan, apply, confirm, rollback, history.
#include "controller/api.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace weft::controller {
namespace json = boost::json;
namespace {

constexpr std::int64_t kLongestTrialSeconds = 365 * 24 * 3600;

struct Submission {
    std::string source;
    std::vector<topology::Source> sources;
    Supervisor::Trial trial;
};

/// The body of plan and apply: {"source", "sources": [{"name", "text"}], "confirm_within"}.
Result<Submission> submission(const std::string& body) {
    const auto wrong = [] {
        return fail(ErrorKind::invalid, R"(the body must be {"source": …, "sources": [{"name": …, "text": …}]})");
    };
    error_code ec;
    const auto value = json::parse(body, ec);
    const auto* object = ec ? nullptr : value.if_object();
    const auto* sources = object == nullptr ? nullptr : object->if_contains("sources");
    if (sources == nullptr || !sources->is_array()) return wrong();
    Submission result;
    if (const auto* source = object->if_contains("source"); source != nullptr && source->is_string())
        result.source = source->as_string();
    for (const auto& entry : sources->get_array()) {
        const auto* file = entry.if_object();
        const auto* name = file == nullptr ? nullptr : file->if_contains("name");
        const auto* text = file == nullptr ? nullptr : file->if_contains("text");
        if (name == nullptr || text == nullptr || !name->is_string() || !text->is_string()) return wrong();
        result.sources.push_back({std::string(name->get_string()), std::string(text->get_string())});
    }
    if (const auto* within = object->if_contains("confirm_within"); within != nullptr && !within->is_null()) {
        const auto* seconds = within->if_int64();
        if (seconds == nullptr || *seconds < 1 || *seconds > kLongestTrialSeconds)
            return fail(ErrorKind::invalid, "'confirm_within' must be a whole number of seconds, 1 to 365 days");
        result.trial = std::chrono::seconds(*seconds);
    }
    return result;
}

/// The body of rollback: nothing, {} or {"revision": N}.
Result<std::optional<RevisionNumber>> wanted_revision(const std::string& body) {
    if (body.empty()) return std::nullopt;
    error_code ec;
    const auto value = json::parse(body, ec);
    const auto* object = ec ? nullptr : value.if_object();
    const auto* number = object == nullptr ? nullptr : object->if_contains("revision");
    if (object != nullptr && (number == nullptr || number->is_null())) return std::nullopt;
    if (number == nullptr || !number->is_int64() || number->get_int64() < 0)
        return fail(ErrorKind::invalid, R"(the body must be empty, or {"revision": N})");
    return static_cast<RevisionNumber>(number->get_int64());
}

HttpResponse refused(const Error& error) {
    return http_error(error.kind == ErrorKind::refused ? 409 : 500, error.text);
}

HttpResponse invalid(const Candidate& candidate, const std::vector<topology::Source>& sources) {
    return ok(json::object{{"problems", view::problems(candidate.problems, sources)}}, 422);
}

/// What is in force, and how far the hosts are.
json::object in_force(const Supervisor& supervisor) {
    const auto& state = supervisor.intent().state();
    json::array hosts;
    for (const auto& [name, agent] : supervisor.hosts()) {
        const auto status = agent.status();
        hosts.push_back({{"name", name}, {"state", name_of(status.state)}, {"reason", status.reason}});
    }
    return {{"revision", state.current},
            {"converged", supervisor.converged()},
            {"confirm_by", state.awaiting ? json::value(iso8601(state.awaiting->until)) : nullptr},
            {"else_back_to", state.awaiting ? json::value(state.awaiting->back_to) : nullptr},
            {"hosts", std::move(hosts)}};
}

/// The answer of apply and rollback.
json::object changed(const Supervisor& supervisor, json::value planned, const Candidate& candidate) {
    auto answer = in_force(supervisor);
    answer["plan"] = std::move(planned);
    json::array notices;
    for (const auto& notice : candidate.notices)
        notices.emplace_back(notice);
    answer["notices"] = std::move(notices);
    return answer;
}

HttpResponse plan(const Supervisor& supervisor, const Submission& submitted) {
    const auto candidate = supervisor.intent().consider(submitted.sources);
    if (!candidate.ok()) return invalid(candidate, submitted.sources);
    return ok(view::plan(supervisor, candidate));
}

/// An edit that changes nothing is no revision. What is on trial it confirms, or goes on trying, as any apply does.
Result<> apply_nothing(Supervisor& supervisor, const Supervisor::Trial& trial) {
    if (!supervisor.intent().state().awaiting) return {};
    return trial ? supervisor.prolong(*trial) : supervisor.confirm();
}

HttpResponse apply(Supervisor& supervisor, const Submission& submitted) {
    const auto candidate = supervisor.intent().consider(submitted.sources);
    if (!candidate.ok()) return invalid(candidate, submitted.sources);
    const auto& state = supervisor.intent().state();
    const auto confirmed = state.awaiting && !submitted.trial ? state.current : 0;
    auto planned = view::plan(supervisor, candidate);
    const auto applied = supervisor.intent().changes_nothing(candidate)
                             ? apply_nothing(supervisor, submitted.trial)
                             : supervisor.apply(candidate, submitted.source, submitted.sources, submitted.trial);
    if (!applied) return refused(applied.error());
    auto answer = changed(supervisor, std::move(planned), candidate);
    answer["confirmed"] = confirmed == 0 ? json::value(nullptr) : json::value(confirmed);
    return ok(answer);
}

HttpResponse confirm(Supervisor& supervisor) {
    if (const auto confirmed = supervisor.confirm(); !confirmed) return refused(confirmed.error());
    return ok(in_force(supervisor));
}

HttpResponse rollback(Supervisor& supervisor, std::optional<RevisionNumber> to) {
    const auto back = supervisor.way_back(to);
    if (!back && back.error().kind == ErrorKind::invalid) return http_error(404, back.error().text);
    if (!back) return refused(back.error());
    if (!back->candidate.ok()) return invalid(back->candidate, supervisor.intent().state().find(back->to)->sources);
    auto planned = view::plan(supervisor, back->candidate);
    const auto gone = supervisor.intent().state().current;
    if (const auto done = supervisor.roll_back(*back); !done) return refused(done.error());
    auto answer = changed(supervisor, std::move(planned), back->candidate);
    answer["restores"] = back->to;
    answer["rolled_back"] = gone;
    return ok(answer);
}

} // namespace

std::optional<HttpResponse> topologies::post(Supervisor& supervisor, const std::string& path, const std::string& body) {
    if (path == "/v1/confirm") return confirm(supervisor);
    if (path == "/v1/rollback") {
        const auto to = wanted_revision(body);
        return to ? rollback(supervisor, *to) : http_error(400, to.error().text);
    }
    if (path != "/v1/plan" && path != "/v1/apply") return std::nullopt;
    const auto submitted = submission(body);
    if (!submitted) return http_error(400, submitted.error().text);
    return path == "/v1/plan" ? plan(supervisor, *submitted) : apply(supervisor, *submitted);
}

json::value view::history(const Supervisor& supervisor) {
    const auto& state = supervisor.intent().state();
    json::array revisions;
    for (const auto& revision : state.revisions) {
        const bool awaits = state.awaiting && revision.number == state.current;
        revisions.push_back({{"revision", revision.number},
                             {"time", iso8601(revision.time)},
                             {"source", revision.source},
                             {"state", controller::name_of(revision.state)},
                             {"restores", revision.restores == 0 ? json::value(nullptr) : revision.restores},
                             {"confirm_by", awaits ? json::value(iso8601(state.awaiting->until)) : nullptr}});
    }
    return revisions;
}

} // namespace weft::controller
