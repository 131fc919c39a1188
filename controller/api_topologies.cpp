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
json::object changed(const Supervisor& supervisor, const Candidate& candidate) {
    auto answer = in_force(supervisor);
    json::array notices;
    for (const auto& notice : candidate.notices)
        notices.emplace_back(notice);
    answer["notices"] = std::move(notices);
    return answer;
}

/// Who reaches whom takes a while to find out: after the change, not before.
Task<void> add_plan(json::object& answer, Liveness live, Foresight foresight) {
    auto planned = view::plan(foresight);
    co_await view::add_reachability(planned, std::move(live), std::move(foresight));
    answer["plan"] = std::move(planned);
}

Task<HttpResponse> plan(const Supervisor& supervisor, const Submission& submitted) {
    const auto candidate = supervisor.intent().consider(submitted.sources);
    if (!candidate.ok()) co_return invalid(candidate, submitted.sources);
    auto foresight = supervisor.foresee(candidate);
    auto planned = view::plan(foresight);
    co_await view::add_reachability(planned, Liveness(supervisor.intent()), std::move(foresight));
    co_return ok(planned);
}

/// An edit that changes nothing is no revision. What is on trial it confirms, or goes on trying, as any apply does.
Result<> apply_nothing(Supervisor& supervisor, const Supervisor::Trial& trial) {
    if (!supervisor.intent().state().awaiting) return {};
    return trial ? supervisor.prolong(*trial) : supervisor.confirm();
}

Task<HttpResponse> apply(Supervisor& supervisor, const Submission& submitted) {
    const auto candidate = supervisor.intent().consider(submitted.sources);
    if (!candidate.ok()) co_return invalid(candidate, submitted.sources);
    const auto& state = supervisor.intent().state();
    const auto confirmed = state.awaiting && !submitted.trial ? state.current : 0;
    auto foresight = supervisor.foresee(candidate);
    const Liveness live(supervisor.intent());
    const auto applied = supervisor.intent().changes_nothing(candidate)
                             ? apply_nothing(supervisor, submitted.trial)
                             : supervisor.apply(candidate, submitted.source, submitted.sources, submitted.trial);
    if (!applied) co_return refused(applied.error());
    auto answer = changed(supervisor, candidate);
    answer["confirmed"] = confirmed == 0 ? json::value(nullptr) : json::value(confirmed);
    co_await add_plan(answer, live, std::move(foresight));
    co_return ok(answer);
}

HttpResponse confirm(Supervisor& supervisor) {
    if (const auto confirmed = supervisor.confirm(); !confirmed) return refused(confirmed.error());
    return ok(in_force(supervisor));
}

Task<HttpResponse> rollback(Supervisor& supervisor, std::optional<RevisionNumber> to) {
    const auto back = supervisor.way_back(to);
    if (!back && back.error().kind == ErrorKind::invalid) co_return http_error(404, back.error().text);
    if (!back) co_return refused(back.error());
    if (!back->candidate.ok()) co_return invalid(back->candidate, supervisor.intent().state().find(back->to)->sources);
    auto foresight = supervisor.foresee(back->candidate);
    const Liveness live(supervisor.intent());
    const auto gone = supervisor.intent().state().current;
    if (const auto done = supervisor.roll_back(*back); !done) co_return refused(done.error());
    auto answer = changed(supervisor, back->candidate);
    answer["restores"] = back->to;
    answer["rolled_back"] = gone;
    co_await add_plan(answer, live, std::move(foresight));
    co_return ok(answer);
}

} // namespace

bool topologies::takes(std::string_view path) {
    return path == "/v1/plan" || path == "/v1/apply" || path == "/v1/confirm" || path == "/v1/rollback";
}

Task<HttpResponse> topologies::post(Supervisor& supervisor, std::string path, std::string body) {
    if (path == "/v1/confirm") co_return confirm(supervisor);
    if (path == "/v1/rollback") {
        const auto to = wanted_revision(body);
        if (!to) co_return http_error(400, to.error().text);
        co_return co_await rollback(supervisor, *to);
    }
    const auto submitted = submission(body);
    if (!submitted) co_return http_error(400, submitted.error().text);
    if (path == "/v1/plan") co_return co_await plan(supervisor, *submitted);
    co_return co_await apply(supervisor, *submitted);
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
