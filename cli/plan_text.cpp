#include "cli/plan_text.hpp"

#include "cli/json_text.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <ostream>
#include <ranges>

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

constexpr std::array<std::string_view, 4> kKinds{"flows", "groups", "meters", "rows"};

/// "+12 ~3 -1" of {add, change, remove}; empty for nothing, "?" for null.
std::string counts_text(const json::value& host, std::string_view kind) {
    const auto& counts = at(host, kind);
    if (counts.is_null() && host.is_object() && host.get_object().contains(kind)) return "?";
    std::string text;
    for (const auto* op : {"add", "change", "remove"}) {
        if (const auto count = count_at(counts, op))
            text += fmt::format("{}{}{}", text.empty() ? "" : " ", sign_of(op).sign, count);
    }
    return text;
}

bool is(const json::value& host, std::string_view key) {
    return at(host, key) == json::value(true);
}

/// What the counts do not say; empty when they say all.
std::string note_of(const json::value& host) {
    if (is(host, "leaves")) return "leaves: its bridge goes, and all flows with it";
    if (is(host, "unplugs")) return "another bridge: what is plugged into the old one is unplugged, and stays so";
    if (is(host, "more")) return "and more once new ports have numbers";
    std::string text;
    for (const auto kind : kKinds)
        text += counts_text(host, kind);
    if (text.contains('?')) return "? is not known before the host is synced";
    return text.empty() && count_at(host, "forgetting") > 0 ? "its datapath forgets what it cached" : "";
}

bool is_changed(const json::value& host) {
    return is(host, "leaves") || is(host, "unplugs") || is(host, "more") || count_at(host, "forgetting") > 0 ||
           std::ranges::any_of(kKinds, [&](std::string_view kind) {
               const auto text = counts_text(host, kind);
               return !text.empty() && text != "?";
           });
}

Table table_of_hosts(const json::array& hosts) {
    Table table({{"HOST"}, {"FLOWS"}, {"GROUPS"}, {"METERS"}, {"ROWS"}, {"NOTE"}});
    for (const auto& host : hosts) {
        std::vector<Cell> row{{words_at(host, "name")}};
        for (const auto kind : kKinds)
            row.push_back({counts_text(host, kind)});
        row.push_back({note_of(host), Colour::dim});
        const bool says =
            std::ranges::any_of(row.begin() + 1, row.end(), [](const Cell& c) { return !c.text.empty(); });
        if (says) table.add(std::move(row));
    }
    return table;
}

/// Of many changes a person reads the first; the rest is in the JSON.
constexpr std::size_t kMostShown = 40;

void print_reachability(std::ostream& out, const json::value& plan, bool colours) {
    const auto& changes = items(at(plan, "reachability"));
    if (changes.empty()) return;
    Table table({{""}, {"FROM"}, {"TO"}, {"CONNECTIONS"}});
    for (const auto& change : changes | std::views::take(kMostShown)) {
        const auto [sign, colour] = sign_of(words_at(change, "op"));
        const auto ports = words_at(change, "ports");
        table.add({{std::string(sign), colour},
                   {printable(words_at(change, "from"))},
                   {printable(words_at(change, "to"))},
                   {printable(words_at(change, "protocol") + (ports.empty() ? "" : " " + ports))}});
    }
    out << '\n';
    table.print(out, colours);
    const auto more = (changes.size() - std::min(changes.size(), kMostShown)) + count_at(plan, "reachability_left_out");
    if (more > 0) out << "and " << more << " more: -o json\n";
}

} // namespace

bool changes_anything(const json::value& plan) {
    return !items(at(plan, "objects")).empty() || std::ranges::any_of(items(at(plan, "hosts")), is_changed);
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
    if (const auto hosts = table_of_hosts(items(at(plan, "hosts"))); !hosts.empty()) {
        out << '\n';
        hosts.print(out, colours);
    }
    print_reachability(out, plan, colours);
    out << coloured("\n+ added  ~ changed  - removed\n", Colour::dim, colours);
}

} // namespace weft::cli
