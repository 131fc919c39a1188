// Supervisor, the part about revisions: one comes into force, is on trial, is confirmed, or another one comes back.
//
//   apply ──▶ in force                      apply, with a trial ──▶ on trial ──confirm, or an apply without──▶ in force
//                                                                      │ └──an apply with a trial──▶ on trial
//                                                                      └──time is up, weftd started again, rollback──▶
//                                                                         what was in force before the first trial
//
// This is the confirmed commit of NETCONF (RFC 6241, section 8.4), which network admins know.
#include "controller/failpoint.hpp"
#include "controller/supervisor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weft::controller {
namespace {

constexpr std::string_view kUnchanged = ": nothing was changed";

/// "1, 2, 5-9"
std::string numbers_of(const std::vector<Revision>& revisions) {
    std::vector<std::string> runs;
    for (auto first = revisions.begin(); first != revisions.end();) {
        auto last = first;
        while (last + 1 != revisions.end() && (last + 1)->number == last->number + 1)
            ++last;
        runs.push_back(first == last ? std::to_string(first->number)
                                     : fmt::format("{}-{}", first->number, last->number));
        first = last + 1;
    }
    return fmt::format("{}", fmt::join(runs, ", "));
}

Error none_awaits(const State& state) {
    const auto* last = state.find(state.current);
    const bool taken_back = last != nullptr && last->restores != 0;
    return {ErrorKind::refused,
            fmt::format("no revision awaits confirmation: revision {} is in force{}; weftctl history shows them all",
                        state.current, taken_back ? fmt::format(", which is revision {} again", last->restores) : "")};
}

} // namespace

Result<> Supervisor::put_in_force(const Candidate& candidate, State state, Unsaved unsaved) {
    const auto began = SteadyClock::now();
    failpoint("supervisor.considered");
    if (intent_.state().current != 0) store_.remember(intent_.state().current, intent_.state().recollection());
    const auto saved = store_.save(state);
    if (!saved && unsaved == Unsaved::refuse)
        return fail(saved.error().kind, saved.error().text + std::string(kUnchanged));
    failpoint("supervisor.saved");
    intent_.commit(candidate, std::move(state));
    if (!saved) {
        intent_.unsaved();
        save_.raise();
    }
    trial_.raise();
    metrics_.applied(SteadyClock::now() - began);
    applied_ = began; // of one that another overtakes nothing is told
    spread_.raise();
    return saved;
}

Result<> Supervisor::apply(const Candidate& candidate, const std::string& source,
                           const std::vector<topology::Source>& sources, Trial trial) {
    const auto& before = intent_.state();
    if (trial && before.current == 0)
        return fail(ErrorKind::refused, "there is no topology that could come back yet: apply the first one without "
                                        "--confirm-within");
    const auto confirmed = before.awaiting && !trial ? before.current : 0;
    auto state = intent_.with_revision(candidate, source, sources,
                                       trial ? std::optional(now() + *trial) : std::optional<Timestamp>());
    const auto revision = state.current;
    const auto awaiting = state.awaiting;
    if (auto done = put_in_force(candidate, std::move(state), Unsaved::refuse); !done) return done;
    if (trial) confirm_by_ = SteadyClock::now() + *trial;
    if (confirmed != 0)
        voice_.say(LogLevel::info, "topology_confirmed", "", "",
                   fmt::format("revision {} is confirmed: revision {} was applied on top of it", confirmed, revision));
    voice_.say(LogLevel::info, "topology_applied", "", "",
               fmt::format("revision {} from {} is in force{}", revision, source,
                           awaiting ? fmt::format("; without confirmation by {} revision {} comes back",
                                                  iso8601(awaiting->until), awaiting->back_to)
                                    : ""));
    return {};
}

Result<> Supervisor::save_trial(const State& state) {
    if (auto saved = store_.save(state); !saved)
        return fail(saved.error().kind,
                    fmt::format("{}: revision {} still awaits confirmation, until {}", saved.error().text,
                                state.current, iso8601(intent_.state().awaiting->until)));
    intent_.note_trial(state);
    trial_.raise();
    return {};
}

Result<> Supervisor::confirm() {
    auto state = intent_.state();
    if (!state.awaiting) return std::unexpected(none_awaits(state));
    state.confirm();
    if (auto saved = save_trial(state); !saved) return saved;
    voice_.say(LogLevel::info, "topology_confirmed", "", "", fmt::format("revision {} is confirmed", state.current));
    return {};
}

Result<> Supervisor::prolong(std::chrono::seconds trial) {
    auto state = intent_.state();
    if (!state.awaiting) return std::unexpected(none_awaits(state));
    state.awaiting->until = now() + trial;
    if (auto saved = save_trial(state); !saved) return saved;
    confirm_by_ = SteadyClock::now() + trial;
    log_.info("weftd", fmt::format("revision {} awaits confirmation until {} now", state.current,
                                   iso8601(state.awaiting->until)));
    return {};
}

Result<Supervisor::WayBack> Supervisor::way_back(std::optional<RevisionNumber> to) {
    const auto& state = intent_.state();
    const auto* revision = to ? state.find(*to) : state.previous();
    if (revision == nullptr && to)
        return fail(ErrorKind::invalid,
                    state.revisions.empty()
                        ? fmt::format("there is no revision {}: none was applied yet", *to)
                        : fmt::format("there is no revision {}: {} are kept", *to, numbers_of(state.revisions)));
    if (revision == nullptr)
        return fail(ErrorKind::refused,
                    fmt::format("there is no revision before revision {} to go back to", state.current));
    const auto* in_force = state.find(state.current);
    if (revision->number == state.current || (in_force != nullptr && in_force->restores == revision->number))
        return fail(ErrorKind::refused,
                    fmt::format("revision {} is in force already{}{}", revision->number,
                                revision->number == state.current ? "" : fmt::format(", as revision {}", state.current),
                                state.awaiting ? ": weftctl confirm keeps it" : ""));
    const auto recalled = store_.recall(revision->number);
    WayBack back{revision->number,
                 intent_.consider(revision->sources, recalled ? *recalled : std::optional<Recollection>())};
    if (!recalled || !*recalled)
        back.candidate.notices.push_back(
            fmt::format("what was allocated under revision {} is not known any more{}: what it lacks is allocated anew",
                        revision->number, recalled ? "" : " (" + recalled.error().text + ")"));
    return back;
}

void Supervisor::tell_rollback(const WayBack& back, const std::string& why) {
    const auto in_force = intent_.state().current;
    voice_.say(LogLevel::warning, "topology_rolled_back", "", "",
               fmt::format("{}: revision {} is back in force, as revision {}", why, back.to, in_force));
}

Result<> Supervisor::roll_back(const WayBack& back) {
    const auto gone = intent_.state().current;
    if (auto done = put_in_force(back.candidate, intent_.with_rollback(back.candidate, back.to), Unsaved::refuse);
        !done)
        return done;
    tell_rollback(back, fmt::format("revision {} was taken back by hand", gone));
    return {};
}

/// The topology on trial goes whatever else fails, for it may be what the admin is locked out by.
void Supervisor::take_back(const std::string& why) {
    auto state = intent_.state();
    const auto gone = fmt::format("revision {} was taken back: {}", state.current, why);
    const auto back = way_back({});
    if (!back || !back->candidate.ok()) {
        const auto reason = !back ? back.error().text
                                  : fmt::format("revision {} is not valid for this weftd any more: {}", back->to,
                                                back->candidate.problems.front().text);
        state.confirm();
        intent_.note_trial(state);
        intent_.unsaved();
        save_.raise();
        return voice_.say(LogLevel::error, "state", "", "",
                          fmt::format("revision {} was to be taken back ({}) and stays in force: {}; apply what is "
                                      "right",
                                      state.current, why, reason));
    }
    const auto saved = put_in_force(back->candidate, intent_.with_rollback(back->candidate, back->to), Unsaved::go_on);
    tell_rollback(*back, gone);
    for (const auto& notice : back->candidate.notices)
        log_.warning("weftd", notice);
    // Until it is saved the state directory has the revision on trial: a start from it would take that back likewise.
    if (!saved)
        voice_.say(LogLevel::error, "state", "", "",
                   saved.error().text + "; the rollback is in force all the same, and is saved as soon as it can be");
}

Task<void> Supervisor::await_confirmation() {
    while (!stopped_) {
        const bool awaiting = intent_.state().awaiting.has_value();
        const auto left = confirm_by_ - SteadyClock::now();
        if (awaiting && left <= SteadyClock::duration::zero())
            take_back("nobody confirmed it in time");
        else
            co_await trial_.wait(awaiting ? left : SteadyClock::duration::max());
    }
}

} // namespace weft::controller
