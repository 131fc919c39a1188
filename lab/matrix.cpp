#include "lab/matrix.hpp"

#include "lab/table.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <sstream>

namespace weft::lab {
namespace {

namespace json = boost::json;

Result<std::vector<Expectation>> parse_json(const std::string& text) {
    std::vector<Expectation> expected;
    try {
        for (const auto& value : json::parse(text).as_array()) {
            const json::object& entry = value.as_object();
            Expectation line{json::value_to<std::string>(entry.at("from")),
                             json::value_to<std::string>(entry.at("to")),
                             {},
                             entry.at("reachable").as_bool(),
                             {}};
            if (const auto* address = entry.if_contains("address"); address && address->is_string())
                line.address = Ip::parse(address->as_string());
            if (const auto* source = entry.if_contains("source_seen"); source && source->is_string())
                line.source_seen = Ip::parse(source->as_string());
            expected.push_back(std::move(line));
        }
    } catch (const std::exception& error) {
        return fail(ErrorKind::invalid, fmt::format("expectations: {}", error.what()));
    }
    return expected;
}

Result<std::vector<Expectation>> parse_lines(const std::string& text) {
    std::vector<Expectation> expected;
    std::istringstream stream(text);
    std::string line;
    for (int number = 1; std::getline(stream, line); ++number) {
        std::istringstream words(line.substr(0, line.find('#')));
        std::string from, to, verdict, source;
        if (!(words >> from)) continue;
        words >> to >> verdict >> source;
        const auto seen = Ip::parse(source);
        if ((verdict != "yes" && verdict != "no") || (!source.empty() && !seen))
            return fail(ErrorKind::invalid, fmt::format("expectations, line {}: want FROM TO yes|no [SOURCE]", number));
        Expectation entry{from == "*" ? "" : from, to == "*" ? "" : to, Ip::parse(to), verdict == "yes", seen};
        if (entry.address) entry.to.clear();
        expected.push_back(std::move(entry));
    }
    return expected;
}

bool fits(const Expectation& expected, const Probe& probe) {
    return (expected.from.empty() || expected.from == probe.from) && (expected.to.empty() || expected.to == probe.to) &&
           (!expected.address || *expected.address == probe.address);
}

std::string shown(const Expectation& expected) {
    const std::string to = expected.address ? expected.address->to_string() : expected.to;
    return fmt::format("{} → {}", expected.from.empty() ? "*" : expected.from, to.empty() ? "*" : to);
}

std::string cell(const std::string& from, const std::string& to, const std::vector<Answer>& answers) {
    if (from == to) return "-";
    int all = 0, yes = 0;
    for (const auto& answer : answers) {
        if (answer.probe.from != from || answer.probe.to != to) continue;
        ++all;
        yes += answer.reachable ? 1 : 0;
    }
    if (all == 0) return "";
    if (yes == 0 || yes == all) return yes ? "yes" : "no";
    return fmt::format("{}/{}", yes, all);
}

} // namespace

std::vector<Probe> probes_of(const LabPlan& plan) {
    std::vector<Probe> probes;
    for (const auto& from : plan.endpoints)
        for (const auto& to : plan.endpoints) {
            if (&from == &to) continue;
            for (const Ip& address : to.addresses())
                probes.push_back({from.name, to.name, address});
        }
    return probes;
}

std::string to_json(const std::vector<Answer>& answers) {
    json::array array;
    for (const auto& answer : answers)
        array.push_back(json::object{
            {"from", answer.probe.from},
            {"to", answer.probe.to},
            {"address", answer.probe.address.to_string()},
            {"reachable", answer.reachable},
            {"source_seen", answer.source_seen ? json::value(answer.source_seen->to_string()) : json::value(nullptr)}});
    return json::serialize(array);
}

std::string to_table(const LabPlan& plan, const std::vector<Answer>& answers) {
    Table table{{"FROM \\ TO"}};
    for (const auto& endpoint : plan.endpoints)
        table.front().push_back(endpoint.name);
    for (const auto& from : plan.endpoints) {
        std::vector<std::string> row{from.name};
        for (const auto& to : plan.endpoints)
            row.push_back(cell(from.name, to.name, answers));
        table.push_back(std::move(row));
    }
    std::string text = render(table);
    for (const auto& answer : answers) {
        const auto* from = plan.endpoint(answer.probe.from);
        if (!answer.source_seen || !from || std::ranges::count(from->addresses(), *answer.source_seen) > 0) continue;
        text += fmt::format("{} → {} {}: seen as {}\n", answer.probe.from, answer.probe.to,
                            answer.probe.address.to_string(), answer.source_seen->to_string());
    }
    return text;
}

Result<std::vector<Expectation>> parse_expectations(const std::string& text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    return first != std::string::npos && text[first] == '[' ? parse_json(text) : parse_lines(text);
}

std::vector<std::string> differences(const std::vector<Expectation>& expected, const std::vector<Answer>& answers) {
    std::vector<std::string> found;
    for (const auto& answer : answers) {
        const auto decides = std::ranges::find_if(expected.rbegin(), expected.rend(),
                                                  [&](const auto& line) { return fits(line, answer.probe); });
        if (decides == expected.rend()) continue;
        const std::string who =
            fmt::format("{} → {} {}", answer.probe.from, answer.probe.to, answer.probe.address.to_string());
        if (answer.reachable != decides->reachable)
            found.push_back(fmt::format("{}: {}, expected {}", who, answer.reachable ? "reachable" : "not reachable",
                                        decides->reachable ? "reachable" : "not reachable"));
        else if (answer.reachable && decides->source_seen &&
                 decides->source_seen->is_v6() == answer.probe.address.is_v6() &&
                 answer.source_seen != decides->source_seen)
            found.push_back(fmt::format("{}: seen as {}, expected {}", who,
                                        answer.source_seen ? answer.source_seen->to_string() : "nobody",
                                        decides->source_seen->to_string()));
    }
    for (const auto& line : expected)
        if (std::ranges::none_of(answers, [&](const auto& answer) { return fits(line, answer.probe); }))
            found.push_back(fmt::format("{}: expected, but no such pair in the lab", shown(line)));
    return found;
}

} // namespace weft::lab
