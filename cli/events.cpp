#include "cli/commands.hpp"
#include "cli/json_text.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <ostream>

namespace weft::cli {

namespace json = boost::json;

namespace {

constexpr int kPollSeconds = 25; // shorter than what proxies and firewalls forget
constexpr Milliseconds kRetry{1000};

void print_event(Context& context, const json::value& event) {
    auto& out = context.environment.out;
    if (context.json) {
        out << json::serialize(event) << '\n';
        return;
    }
    const auto host = words_at(event, "host");
    const auto object = words_at(event, "object");
    const auto subject = host + (host.empty() || object.empty() ? "" : "/") + object;
    out << coloured(printable(words_at(event, "time")), Colour::dim, context.colours) << "  "
        << fmt::format("{:<24}  {}\n", subject.empty() ? "weftd" : printable(subject),
                       printable(words_at(event, "text")));
}

/// The newest `last` of them; all with 0.
json::array newest(const json::array& all, std::size_t last) {
    if (last == 0 || last >= all.size()) return all;
    return json::array(all.end() - static_cast<std::ptrdiff_t>(last), all.end());
}

int follow(Context& context, std::uint64_t next) {
    bool told = false;
    while (true) {
        const auto target = fmt::format("/v1/events?since={}&wait={}", next, kPollSeconds);
        const auto value = context.daemon.get(target, std::chrono::seconds(kPollSeconds + 10));
        if (!value) {
            // A daemon that restarts is part of what one follows. Its numbers go on where they were.
            if (!std::exchange(told, true)) complain(context, value.error());
            if (!context.environment.pause(kRetry)) return kDone;
            continue;
        }
        told = false;
        for (const auto& event : items(at(*value, "events")))
            print_event(context, event);
        context.environment.out << std::flush;
        next = count_at(*value, "next");
        if (!context.environment.pause(Milliseconds(0))) return kDone;
    }
}

} // namespace

int events(Context& context, const EventFilter& filter) {
    const auto value = context.daemon.get("/v1/events?since=0");
    if (!value) return complain(context, value.error());
    const auto shown = newest(items(at(*value, "events")), filter.last);
    if (context.json && !filter.follow) {
        context.environment.out << pretty(shown);
        return kDone;
    }
    for (const auto& event : shown)
        print_event(context, event);
    context.environment.out << std::flush;
    return filter.follow ? follow(context, count_at(*value, "next")) : kDone;
}

} // namespace weft::cli
