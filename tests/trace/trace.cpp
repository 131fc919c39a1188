#include "tests/trace/trace.hpp"

#include "tests/trace/packet_text.hpp"

#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <optional>
#include <stdexcept>

namespace weft::openflow {
namespace {

/// ofproto-dpif-trace.c indents by four; one more space stands before a table's number below 10 and an arrow.
struct Line {
    std::size_t level = 0;
    std::string_view text;
};
using Lines = std::vector<Line>;

struct Section {
    std::string_view resumed; ///< "resume conntrack with ct_state=…"
    std::string_view flow, actions;
    bool failed = false;
    Lines lines;
};

bool is_table(std::string_view text) {
    const auto dot = text.find_first_not_of("0123456789");
    return dot != 0 && dot != std::string_view::npos && text.substr(dot).starts_with(". ");
}

std::optional<std::string_view> behind(std::string_view text, std::string_view start) {
    const auto at = text.find(start);
    return at == std::string_view::npos ? std::nullopt : std::optional(text.substr(at + start.size()));
}

std::vector<Section> sections_of(std::string_view text) {
    std::vector<Section> sections(1);
    for (const auto raw : split(text, '\n')) {
        const auto first = raw.find_first_not_of(' ');
        if (first == std::string_view::npos) continue;
        const Line line{first / 4, raw.substr(first)};
        if (raw.starts_with("recirc(")) {
            sections.emplace_back();
            sections.back().resumed = line.text;
        }
        auto& section = sections.back();
        if (const auto flow = behind(raw, "Flow: "); flow && raw.starts_with("Flow: "))
            section.flow = *flow;
        else if (const auto actions = behind(raw, "Datapath actions: "))
            section.actions = *actions;
        else if (raw.starts_with("Translation failed"))
            section.failed = true;
        else if (!section.flow.empty() && section.actions.empty())
            section.lines.push_back(line);
    }
    return sections;
}

/// The first line from `from` on that is at `level` or further out.
std::size_t end_of(const Lines& lines, std::size_t from, std::size_t level) {
    while (from < lines.size() && lines[from].level > level)
        ++from;
    return from;
}

/// Without the underlay's bridge, whose tables a packet in a tunnel passes.
Lines without_underlay(const Lines& lines) {
    Lines kept;
    for (std::size_t at = 0; at < lines.size(); ++at) {
        if (kept.size() < 2 || !lines[at].text.starts_with("bridge(")) {
            kept.push_back(lines[at]);
            continue;
        }
        // What is last at its level is not indented: then only a line further out ends it.
        const auto level = lines[at].level;
        const bool last = at + 2 < lines.size() && lines[at + 2].level == level;
        at = (!last ? end_of(lines, at + 2, level) : level == 0 ? lines.size() : end_of(lines, at + 2, level - 1)) - 1;
    }
    return kept;
}

/// Without the way that the packet did not go at check_pkt_larger: all actions behind it are there twice, first for a
/// larger packet. `forks` gets, for each recirculation, whether it is on the packet's way.
Lines one_way(const Lines& lines, std::uint32_t length, bool taken, std::vector<bool>& forks) {
    Lines kept;
    for (std::size_t at = 0; at < lines.size(); ++at) {
        const auto& line = lines[at];
        if (line.text.find("is forked to recirculate") != std::string_view::npos) forks.push_back(taken);
        kept.push_back(line);
        const auto check = behind(line.text, "check_pkt_larger(");
        if (!check || at + 1 == lines.size()) continue;
        const auto same = [&](const Line& other) {
            return other.level == line.level && other.text == lines[at + 1].text;
        };
        const auto begin = lines.begin() + static_cast<std::ptrdiff_t>(at) + 1;
        const auto second = std::find_if(begin + 1, lines.end(), same);
        if (second == lines.end()) throw std::runtime_error("check_pkt_larger goes only one way");
        // Its table's actions are two levels further in than those of the table before.
        const auto after = static_cast<std::size_t>(second - lines.begin());
        const auto ends = line.level < 2 ? lines.size() : end_of(lines, after, line.level - 2);
        const auto end = lines.begin() + static_cast<std::ptrdiff_t>(ends);
        const bool larger = length > parse_value(check->substr(0, check->find(')')));
        const auto first_way = one_way(Lines(begin, second), length, taken && larger, forks);
        const auto second_way = one_way(Lines(second, end), length, taken && !larger, forks);
        const auto& way = larger ? first_way : second_way;
        kept.insert(kept.end(), way.begin(), way.end());
        at = ends - 1;
    }
    return kept;
}

Event flow_event(std::string_view text) {
    const auto dot = text.find(". ");
    Event event{.table = static_cast<std::uint8_t>(parse_value(text.substr(0, dot)))};
    text.remove_prefix(dot + 2);
    if (text.starts_with("No match")) {
        event.kind = Event::Kind::miss;
        return event;
    }
    if (const auto cookie = behind(text, ", cookie ")) event.cookie = static_cast<std::uint64_t>(parse_value(*cookie));
    const auto priority = behind(text, "priority ").value();
    event.priority = static_cast<std::uint16_t>(parse_value(priority.substr(0, priority.find(','))));
    const auto match = text.substr(0, text.find("priority "));
    event.match = match.substr(0, match.find_last_not_of(", ") + 1);
    return event;
}

void read_events(const Lines& lines, Pass& pass, Trace& trace) {
    std::uint32_t group = 0;
    for (const auto& line : lines) {
        if (is_table(line.text))
            pass.events.push_back(flow_event(line.text));
        else if (line.text.starts_with("group:"))
            group = static_cast<std::uint32_t>(parse_value(line.text.substr(6)));
        else if (line.text.starts_with("bucket "))
            pass.events.push_back({.kind = Event::Kind::bucket,
                                   .match = {},
                                   .bucket = static_cast<std::size_t>(parse_value(line.text.substr(7)))});
        else if (line.text == "-> no live bucket")
            pass.events.push_back({.kind = Event::Kind::no_bucket, .match = {}});
        else if (const auto bucket = behind(line.text, "-> using bucket "))
            trace.chosen[group].push_back(static_cast<std::size_t>(parse_value(*bucket)));
    }
}

} // namespace

std::string Event::to_string() const {
    switch (kind) {
    case Kind::miss:
        return fmt::format("{}. no match", table);
    case Kind::bucket:
        return fmt::format("bucket {}", bucket);
    case Kind::no_bucket:
        return "no live bucket";
    case Kind::flow:
        break;
    }
    return fmt::format("{}. {}, priority {}, cookie 0x{:x}", table, match, priority, cookie);
}

Trace parse_trace(std::string text, const Packet& packet, const DatapathActions::Ports& ports) {
    Trace trace{.text = std::move(text), .passes = {}, .chosen = {}};
    std::vector<bool> taken{true}; // by section, in the order in which they were begun
    std::size_t number = 0;
    for (const auto& section : sections_of(trace.text)) {
        if (number == taken.size()) throw std::runtime_error("a pass that nothing began");
        const bool on_the_way = taken[number++];
        const auto lines = one_way(without_underlay(section.lines), packet.length, on_the_way, taken);
        if (!on_the_way) continue;
        Pass pass{.begins = number == 1 ? packet : parse_packet(section.flow),
                  .events = {},
                  .outputs = {},
                  .failed = section.failed};
        pass.begins.length = packet.length;
        pass.ct_state =
            section.resumed.find("ct_state=") == std::string_view::npos
                ? 0
                : parse_ct_state(
                      behind(section.resumed, "ct_state=")->substr(0, behind(section.resumed, "ct_state=")->find(' ')));
        read_events(lines, pass, trace);
        if (!section.actions.empty()) DatapathActions(ports, pass.begins, pass.outputs).run(section.actions);
        trace.passes.push_back(std::move(pass));
    }
    return trace;
}

} // namespace weft::openflow
