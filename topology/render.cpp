#include "topology/parse.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::topology {
namespace {

/// Names and values come from the file: a control character in them must not reach a terminal.
std::string printable(std::string_view text) {
    std::string clean(text);
    std::ranges::replace_if(
        clean, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }, '?');
    return clean;
}

/// One line of the source, without its end; empty when there is no such line.
std::string_view line_of(const std::vector<Source>& sources, const Origin& where) {
    const auto source = std::ranges::find(sources, where.file, &Source::name);
    if (source == sources.end() || where.line == 0) return {};
    std::string_view rest = source->text;
    for (std::uint32_t line = 1; line < where.line; ++line) {
        const auto end = rest.find('\n');
        if (end == std::string_view::npos) return {};
        rest.remove_prefix(end + 1);
    }
    rest = rest.substr(0, rest.find('\n'));
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    return rest;
}

/// The blanks that bring a caret under `column`: one for each code point, tabs as they are in the line.
std::string indent(std::string_view line, std::uint32_t column) {
    std::string blanks;
    for (const char c : line) {
        if ((c & 0xc0) == 0x80) continue;
        if (blanks.size() + 1 >= column) break;
        blanks += c == '\t' ? '\t' : ' ';
    }
    return blanks;
}

std::string excerpt(const std::vector<Source>& sources, const Origin& where) {
    const auto line = line_of(sources, where);
    if (line.empty()) return {};
    const auto number = fmt::format("{:>4}", where.line);
    return fmt::format("{} | {}\n{:>{}} | {}^\n", number, printable(line), "", number.size(),
                       indent(line, where.column));
}

std::string place(const Origin& where) {
    return where.line == 0 ? "" : printable(where.to_string()) + ": ";
}

} // namespace

std::string render(const Problem& problem, const std::vector<Source>& sources) {
    const auto* severity = problem.severity == Severity::error ? "error" : "warning";
    auto text = fmt::format("{}{}: {}\n{}", place(problem.where), severity, printable(problem.text),
                            excerpt(sources, problem.where));
    if (!problem.remedy.empty()) text += fmt::format("     = {}\n", printable(problem.remedy));
    if (problem.other.line != 0)
        text += fmt::format("{}note: the other is here\n{}", place(problem.other), excerpt(sources, problem.other));
    return text;
}

} // namespace weft::topology
