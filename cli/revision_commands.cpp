// Commands about revisions that are there already: confirm, rollback. (history is one of the listings.)
#include "cli/change.hpp"
#include "cli/json_text.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <ostream>

namespace weft::cli {

namespace json = boost::json;

int confirm(Context& context) {
    const auto answer = post_change(context, "/v1/confirm", {}, "confirm");
    if (!answer) return answer.error();
    if (context.json)
        context.environment.out << pretty(*answer);
    else
        context.environment.out << "revision " << count_at(*answer, "revision") << " is confirmed: it stays in force\n";
    return kDone;
}

int rollback(Context& context, std::uint64_t revision, std::chrono::seconds timeout) {
    json::object body;
    if (revision != 0) body["revision"] = revision;
    auto answer = post_change(context, "/v1/rollback", body,
                              revision == 0 ? "the revision before" : fmt::format("revision {}", revision));
    if (!answer) return answer.error();
    if (!context.json) {
        print_change(context, *answer);
        context.environment.out << fmt::format(
                                       "revision {} was taken back: revision {} is in force again, as revision {}\n",
                                       count_at(*answer, "rolled_back"), count_at(*answer, "restores"),
                                       count_at(*answer, "revision"))
                                << std::flush;
    }
    return await_hosts(context, std::move(*answer), timeout);
}

} // namespace weft::cli
