#include "cli/change.hpp"

#include "cli/converge.hpp"
#include "cli/json_text.hpp"
#include "cli/plan_text.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <ostream>

namespace weft::cli {

namespace json = boost::json;

namespace {

// Compiling a large topology takes its time, and a first apply also stores it.
constexpr Milliseconds kCompileTimeout{300'000};
// A host that is down or refuses for this long after a change is believed to stay so.
constexpr std::chrono::seconds kGrace{1};

void print_host(Context& context, std::string_view name, std::string_view state, std::string_view reason) {
    context.environment.out << name << ": " << coloured(state, colour_of_state(state), context.colours)
                            << (reason.empty() ? "" : ", ") << reason << '\n'
                            << std::flush;
}

} // namespace

std::string count_of(std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::expected<json::value, int> post_change(Context& context, const char* target, const json::object& body,
                                            const std::string& what) {
    auto answer = context.daemon.call("POST", target, json::serialize(body), kCompileTimeout);
    if (!answer) return std::unexpected(complain(context, answer.error()));
    if (answer->status == 200) return std::move(answer->body);
    if (answer->status != 422) return std::unexpected(complain(context, context.daemon.error_of(*answer)));
    if (context.json) context.environment.out << pretty(answer->body);
    const auto& problems = items(at(answer->body, "problems"));
    for (const auto& problem : problems)
        context.environment.err << words_at(problem, "rendered");
    context.environment.err << fmt::format("{}: {}, nothing was changed\n", what, count_of(problems.size(), "problem"));
    return std::unexpected(kError);
}

void print_change(Context& context, const json::value& answer) {
    auto& out = context.environment.out;
    print_plan(out, at(answer, "plan"), context.colours);
    for (const auto& notice : items(at(answer, "notices")))
        out << "note: " << printable(words(notice)) << '\n';
    out << '\n';
}

std::string trial_text(const json::value& answer) {
    auto until = printable(words_at(answer, "confirm_by"));
    if (until.empty()) return {};
    if (const auto fraction = until.find('.'); fraction != std::string::npos) until = until.substr(0, fraction) + "Z";
    return fmt::format("revision {} awaits confirmation: `weftctl confirm` keeps it, else revision {} comes back at {}",
                       count_at(answer, "revision"), count_at(answer, "else_back_to"), until);
}

int await_hosts(Context& context, json::value answer, std::chrono::seconds timeout) {
    auto& environment = context.environment;
    const auto revision = count_at(answer, "revision");
    // A revision on trial may be taken back while one waits.
    const bool trial = !words_at(answer, "confirm_by").empty();
    const auto taken_back = [&](const json::value& now) { return trial && count_at(now, "revision") > revision; };
    // Done when nobody is left to wait for: a host that is down or refuses gets a moment to think better of it.
    const auto grace_ends = SteadyClock::now() + kGrace;
    const auto status = poll_status(context, timeout, [&](const json::value& now) {
        const auto behind = laggards(now, revision);
        return taken_back(now) || behind.empty() ||
               (SteadyClock::now() >= grace_ends && std::ranges::all_of(behind, &Laggard::unable));
    });
    if (!status) return complain(context, status.error());
    const auto behind = laggards(*status, revision);
    if (context.json) {
        if (auto* object = answer.if_object()) {
            (*object)["converged"] = behind.empty();
            (*object)["hosts"] = at(*status, "hosts");
        }
        environment.out << pretty(answer);
    } else {
        for (const auto& host : items(at(*status, "hosts"))) {
            print_host(context, printable(words_at(host, "name")), printable(words_at(host, "state")),
                       printable(words_at(host, "reason")));
        }
    }
    if (taken_back(*status)) {
        environment.err << fmt::format("revision {} is not in force any more, revision {} is: weftctl history\n",
                                       revision, count_at(*status, "revision"));
        return kNo;
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
