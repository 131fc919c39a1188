#include "cli/converge.hpp"

#include "cli/json_text.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <ostream>

namespace weft::cli {

namespace json = boost::json;

namespace {
constexpr Milliseconds kPollInterval{200};
}

std::string Laggard::to_string() const {
    return reason.empty() ? fmt::format("{} ({})", name, state) : fmt::format("{} ({}: {})", name, state, reason);
}

std::vector<Laggard> laggards(const json::value& status, std::uint64_t revision) {
    std::vector<Laggard> found;
    for (const auto& host : items(at(status, "hosts"))) {
        if (words_at(host, "state") == "synced" && count_at(host, "revision") >= revision) continue;
        found.push_back({printable(words_at(host, "name")), printable(words_at(host, "state")),
                         printable(words_at(host, "reason"))});
    }
    return found;
}

Result<json::value> poll_status(Context& context, std::chrono::seconds timeout,
                                const std::function<bool(const json::value&)>& done) {
    const auto deadline = SteadyClock::now() + timeout;
    while (true) {
        auto status = context.daemon.get("/v1/status");
        if (!status || done(*status) || SteadyClock::now() >= deadline) return status;
        if (!context.environment.pause(kPollInterval)) return status;
    }
}

int wait(Context& context, std::chrono::seconds timeout) {
    const auto converged = [](const json::value& status) {
        return at(status, "converged") == json::value(true) && laggards(status, count_at(status, "revision")).empty();
    };
    const auto status = poll_status(context, timeout, converged);
    if (!status) return complain(context, status.error());
    auto& environment = context.environment;
    if (context.json) environment.out << pretty(*status);
    const auto revision = count_at(*status, "revision");
    if (converged(*status)) {
        if (!context.json) {
            environment.out << fmt::format("converged at revision {}: {} hosts\n", revision,
                                           items(at(*status, "hosts")).size());
        }
        return kDone;
    }
    std::string names;
    for (const auto& laggard : laggards(*status, revision))
        names += (names.empty() ? ": " : ", ") + laggard.to_string();
    environment.err << fmt::format("not converged at revision {} after {} s{}\n", revision, timeout.count(), names);
    return kNo;
}

} // namespace weft::cli
