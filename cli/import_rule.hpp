// What the readers of forwards share: a rule in the making, and lines and words of shells. Pure.
#pragma once
#include "cli/import_sources.hpp"

#include <map>
#include <string_view>

namespace weft::cli {

/// A rule in the making, whichever tool wrote it.
struct Rule {
    std::optional<Ip> address;
    std::optional<topology::Protocol> protocol;
    std::vector<topology::PortRange> ports;
    std::string target; ///< "192.168.122.11:22"
    std::string vm;
    std::string why_not; ///< not plain: the first reason
    bool translates = false;

    void refuse(std::string reason) {
        if (why_not.empty()) why_not = std::move(reason);
    }
};

/// "80", "8000-8010", or with another character for '-'.
std::optional<topology::PortRange> read_ports(std::string text, char dash);
/// The rule's destination: one IPv4 address.
void read_address(std::string_view text, Rule& rule);
/// The rule's ports: ranges between commas.
void read_port_list(std::string_view text, char dash, Rule& rule);
/// The values of a rule, one for each of its port ranges, or why there are none; nothing, if it translates nothing.
void finish(Rule rule, const std::string& where, std::string_view as_written, Dnats& into);

std::vector<std::string_view> lines_of(std::string_view text);
/// Without blanks at both ends.
std::string_view trimmed(std::string_view text);

using Words = std::vector<std::string>;
using Variables = std::map<std::string, std::string, std::less<>>;
/// What a variable's name is made of.
bool word_character(char c);
/// The words of a line: quotes and comments taken away, variables replaced ("$" stays for one that is not known), and
/// ";", "&", "|" words of their own.
Words shell_words(std::string_view line, const Variables& variables);

} // namespace weft::cli
