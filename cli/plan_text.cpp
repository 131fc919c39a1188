#include "cli/plan_text.hpp"

#include "cli/json_text.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <ostream>

namespace weft::cli {

namespace json = boost::json;

namespace {

struct Sign {
    std::string_view sign;
    Colour colour;
};

/// Of an object's "+", "~", "-" and of a count's key. One that this weftctl does not know shows as changed.
Sign sign_of(std::string_view op) {
    if (op == "+" || op == "add") return {"+", Colour::green};
    if (op == "-" || op == "remove") return {"-", Colour::red};
    return {"~", Colour::yellow};
}

/// " +12 ~3 -1" of {add, change, remove}, " 5" of a plain count; empty for nothing.
std::string counts_text(const json::value& counts) {
    if (counts.is_number()) return counts == json::value(0) ? std::string() : " " + words(counts);
    std::string text;
    for (const auto* op : {"add", "change", "remove"}) {
        if (const auto count = count_at(counts, op)) text += fmt::format(" {}{}", sign_of(op).sign, count);
    }
    return text;
}

} // namespace

std::string host_changes(const json::value& host) {
    std::string text;
    for (const auto* what : {"flows", "groups", "meters", "rows"}) {
        if (const auto part = counts_text(at(host, what)); !part.empty()) {
            text += fmt::format("{}{}{}", text.empty() ? "" : ", ", what, part);
        }
    }
    return text;
}

bool changes_anything(const json::value& plan) {
    return !items(at(plan, "objects")).empty() ||
           std::ranges::any_of(items(at(plan, "hosts")),
                               [](const json::value& host) { return !host_changes(host).empty(); });
}

void print_plan(std::ostream& out, const json::value& plan, bool colours) {
    if (!changes_anything(plan)) {
        out << "nothing would change\n";
        return;
    }
    for (const auto& object : items(at(plan, "objects"))) {
        const auto [sign, colour] = sign_of(words_at(object, "op"));
        out << coloured(fmt::format("{} {} {}", sign, printable(words_at(object, "kind")),
                                    printable(words_at(object, "name"))),
                        colour, colours)
            << '\n';
    }
    out << '\n';
    for (const auto& host : items(at(plan, "hosts"))) {
        const auto changes = host_changes(host);
        const bool unknown = host.is_object() && host.get_object().contains("rows") && at(host, "rows").is_null();
        out << printable(words_at(host, "name")) << ": " << (changes.empty() ? "nothing" : changes)
            << (unknown ? " (its rows are unknown until it is reached)" : "") << '\n';
    }
    if (const auto& reach = items(at(plan, "reachability")); !reach.empty()) {
        out << "\nreachability\n";
        for (const auto& change : reach) {
            const auto [sign, colour] = sign_of(words_at(change, "op"));
            const auto ports = words_at(change, "ports");
            out << coloured(printable(fmt::format("{} {} -> {} {}{}{}", sign, words_at(change, "from"),
                                                  words_at(change, "to"), words_at(change, "protocol"),
                                                  ports.empty() ? "" : " ", ports)),
                            colour, colours)
                << '\n';
        }
    }
    out << coloured("\n+ added  ~ changed  - removed\n", Colour::dim, colours);
}

} // namespace weft::cli
