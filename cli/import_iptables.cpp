// Rules of iptables: as iptables-save prints them, and as a hook script makes them.
#include "cli/import_forwards.hpp"
#include "cli/import_rule.hpp"
#include "topology/form.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <span>
#include <utility>

namespace weft::cli {
namespace {

namespace form = topology::form;

/// Options of iptables by what they mean to a forward.
constexpr std::array<std::string_view, 10> kValueIgnored{"-i",        "--in-interface", "-m",        "--match", "-t",
                                                         "--comment", "--dst-type",     "--ctstate", "--table", "-c"};
constexpr std::array<std::string_view, 8> kIgnored{"-w", "--wait",   "-v",           "--verbose",
                                                   "-n", "--random", "--persistent", "--random-fully"};

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
    return std::ranges::find(words, word) != words.end();
}

/// The arguments of one iptables command.
Rule read_iptables(std::span<const std::string> words) {
    Rule rule;
    bool adds = false;
    bool negated = false;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto& word = words[i];
        const auto value = [&]() -> std::string { return i + 1 < words.size() ? words[++i] : std::string(); };
        if (word == "!") {
            negated = true;
            continue;
        }
        const bool in_interface = word == "-i" || word == "--in-interface";
        if (std::exchange(negated, false) && !in_interface) rule.refuse(fmt::format("'! {}'", word));
        if (word == "-A" || word == "-I" || word == "--append" || word == "--insert") {
            adds = value() != "OUTPUT"; // a VM's public address from the host itself: not needed any more
        } else if (word == "-p" || word == "--protocol") {
            const auto protocol = form::protocol(value());
            if (!protocol)
                rule.refuse(fmt::format("protocol '{}'", words[i]));
            else if (protocol->kind != topology::Protocol::Class::any)
                rule.protocol = *protocol;
        } else if (word == "-d" || word == "--destination" || word == "--dst") {
            read_address(value(), rule);
        } else if (word == "--dport" || word == "--dports" || word == "--destination-port" ||
                   word == "--destination-ports") {
            read_port_list(value(), ':', rule);
        } else if (word == "-j" || word == "--jump") {
            rule.translates = value() == "DNAT";
        } else if (word == "--to-destination" || word == "--to") {
            rule.target = value();
        } else if (is_one_of(word, kValueIgnored)) {
            value();
        } else if (word.starts_with('-') && !is_one_of(word, kIgnored)) {
            rule.refuse(fmt::format("'{}' narrows it", word));
        }
    }
    rule.translates = rule.translates && adds;
    return rule;
}

std::string_view base_name(std::string_view path) {
    return path.substr(path.find_last_of('/') + 1);
}

/// Every command of a line that is iptables.
void read_commands(std::span<const std::string> words, const std::string& where, std::string_view line, Dnats& into) {
    const auto separates = [](const std::string& word) { return word == ";" || word == "&" || word == "|"; };
    while (!words.empty()) {
        const auto end = std::ranges::find_if(words, separates);
        const std::span command(words.begin(), end);
        const auto program = std::ranges::find_if(command, [](const std::string& word) {
            const auto base = base_name(word);
            return base == "iptables" || base == "iptables-nft" || base == "iptables-legacy";
        });
        if (program != command.end()) {
            const auto arguments = static_cast<std::size_t>(program - command.begin()) + 1;
            finish(read_iptables(command.subspan(arguments)), where, line, into);
        }
        words = words.subspan(std::min(command.size() + 1, words.size()));
    }
}

/// NAME=value, perhaps after `local`, `export` and the like. An unknown value makes the name unknown.
bool assign(const Words& words, Variables& variables) {
    static constexpr std::array<std::string_view, 4> kDeclarations{"local", "export", "readonly", "declare"};
    bool any = false;
    for (const auto& word : words) {
        if (is_one_of(word, kDeclarations) || word == ";") continue;
        const auto equals = word.find('=');
        if (equals == std::string::npos || equals == 0 || !std::ranges::all_of(word.substr(0, equals), word_character))
            return any;
        const auto value = word.substr(equals + 1);
        if (value.find_first_of("$`(") == std::string::npos)
            variables.insert_or_assign(word.substr(0, equals), value);
        else
            variables.erase(word.substr(0, equals));
        any = true;
    }
    return any;
}

} // namespace

Dnats read_iptables_save(std::string_view text, const std::string& name) {
    Dnats found;
    int number = 0;
    for (const auto line : lines_of(text)) {
        ++number;
        const auto words = shell_words(line, {});
        finish(read_iptables(words), fmt::format("{}:{}", name, number), trimmed(line), found);
    }
    return found;
}

Dnats read_hook_script(std::string_view text, const std::string& name) {
    Dnats found;
    Variables variables;
    int number = 0;
    std::string continued;
    for (const auto line : lines_of(text)) {
        ++number;
        continued += line;
        if (continued.ends_with('\\')) {
            continued.back() = ' ';
            continue;
        }
        const auto whole = std::exchange(continued, {});
        const auto words = shell_words(whole, variables);
        if (!assign(words, variables)) read_commands(words, fmt::format("{}:{}", name, number), trimmed(whole), found);
    }
    return found;
}

} // namespace weft::cli
