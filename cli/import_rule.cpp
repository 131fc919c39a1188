#include "cli/import_rule.hpp"

#include "topology/form.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace weft::cli {
namespace {

constexpr std::string_view kBlanks = " \t\r";

/// The value of what begins at `text[at]` == '$', which moves to its last character; "$" if it is not known.
std::string value_of(std::string_view text, std::size_t& at, const Variables& variables) {
    auto begin = at + 1;
    const bool braces = begin < text.size() && text[begin] == '{';
    if (braces) ++begin;
    auto end = begin;
    while (end < text.size() && word_character(text[end]))
        ++end;
    if (braces && (end >= text.size() || text[end] != '}')) return "$";
    const auto found = variables.find(text.substr(begin, end - begin));
    if (found == variables.end()) return "$";
    at = braces ? end : end - 1;
    return found->second;
}

} // namespace

std::optional<topology::PortRange> read_ports(std::string text, char dash) {
    std::ranges::replace(text, dash, '-');
    const auto range = topology::form::ports(text);
    return range ? std::optional(*range) : std::nullopt;
}

void read_address(std::string_view text, Rule& rule) {
    const auto prefix = Prefix::parse(text);
    const bool one = prefix && prefix->length == prefix->address.bits();
    const auto address = one ? topology::form::ipv4(prefix->address.to_string()) : topology::form::ipv4("");
    if (address)
        rule.address = *address;
    else
        rule.refuse(fmt::format("destination '{}' is not one IPv4 address", text));
}

void read_port_list(std::string_view text, char dash, Rule& rule) {
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        if (const auto range = read_ports(std::string(text.substr(0, comma)), dash))
            rule.ports.push_back(*range);
        else
            rule.refuse(fmt::format("'{}' is no port", text.substr(0, comma)));
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
}

void finish(Rule rule, const std::string& where, std::string_view as_written, Dnats& into) {
    if (!rule.translates) return;
    const auto colon = rule.target.find(':');
    const auto target = topology::form::ipv4(std::string_view(rule.target).substr(0, colon));
    std::optional<topology::PortRange> target_ports;
    if (!target) rule.refuse(fmt::format("target '{}' is not one IPv4 address", rule.target));
    if (target && colon != std::string::npos) {
        target_ports = read_ports(rule.target.substr(colon + 1), '-');
        if (!target_ports) rule.refuse(fmt::format("'{}' is no port", rule.target.substr(colon + 1)));
    }
    if (rule.protocol && !rule.protocol->has_ports()) rule.refuse("only tcp, udp and sctp are forwarded");
    if (rule.protocol && rule.ports.empty()) rule.refuse("it forwards a protocol without saying which ports");
    if (!rule.protocol && (!rule.ports.empty() || target_ports)) rule.refuse("it names ports, but no protocol");
    if (!rule.protocol && !rule.address) rule.refuse("it translates everything, whatever the address");
    const auto fits = [&](const topology::PortRange& ports) {
        return !target_ports || target_ports->count() == ports.count();
    };
    if (!std::ranges::all_of(rule.ports, fits)) rule.refuse("it maps a range of ports to another number of them");
    if (rule.ports.size() > 1 && target_ports) rule.refuse("it maps several ports to one");
    if (!rule.why_not.empty()) {
        into.unread.push_back(fmt::format("{}: {}: {}", where, as_written, rule.why_not));
        return;
    }
    if (!rule.protocol) rule.ports = {topology::PortRange{}};
    for (const auto& ports : rule.ports)
        into.rules.push_back(
            {rule.address, rule.protocol, ports, *target, target_ports.value_or(ports), rule.vm, where});
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

Words shell_words(std::string_view line, const Variables& variables) {
    Words words;
    std::string word;
    bool any = false;
    const auto end_word = [&] {
        if (any) words.push_back(std::exchange(word, {}));
        any = false;
    };
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quote == 0 && kBlanks.contains(c)) {
            end_word();
        } else if (quote == 0 && c == '#' && !any) {
            break;
        } else if (quote == 0 && (c == ';' || c == '&' || c == '|')) {
            end_word();
            words.emplace_back(1, c);
        } else if (c == quote) {
            quote = 0;
        } else if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
            any = true;
        } else if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
            word += line[++i];
            any = true;
        } else if (c == '$' && quote != '\'') {
            word += value_of(line, i, variables);
            any = true;
        } else {
            word += c;
            any = true;
        }
    }
    end_word();
    return words;
}

} // namespace weft::cli
