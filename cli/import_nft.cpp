// Rules of nftables, as nft lists them.
#include "cli/import_forwards.hpp"
#include "cli/import_rule.hpp"
#include "topology/form.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::cli {
namespace {

namespace form = topology::form;

/// The words of a line of `nft list ruleset`: braces and commas stand alone, so a set is a list of words.
Words nft_words(std::string_view line) {
    std::string spaced;
    bool quoted = false;
    for (const char c : line) {
        if (c == '"') quoted = !quoted;
        if (!quoted && (c == '{' || c == '}' || c == ','))
            spaced += {' ', c, ' '};
        else
            spaced += c;
    }
    return shell_words(spaced, {});
}

Rule read_nft_rule(const Words& words) {
    Rule rule;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto& word = words[i];
        const auto value = [&]() -> std::string { return i + 1 < words.size() ? words[++i] : std::string(); };
        if (word == "iif" || word == "iifname" || word == "comment") {
            if (value() == "!=") value();
        } else if (word == "ip" && i + 1 < words.size() && words[i + 1] == "daddr") {
            ++i;
            read_address(value(), rule);
        } else if (word == "counter") {
            while (i + 2 < words.size() && (words[i + 1] == "packets" || words[i + 1] == "bytes"))
                i += 2;
        } else if (word == "fib" || word == "meta") {
            // fib daddr type local, meta l4proto tcp: says again what the rest says
            const auto what = value();
            if (what == "l4proto") {
                const auto protocol = form::protocol(value());
                if (protocol) rule.protocol = *protocol;
                if (!protocol) rule.refuse("'meta l4proto'");
            } else if (what == "daddr" && value() == "type" && value() == "local") {
                continue;
            } else {
                rule.refuse(fmt::format("'{} {}'", word, what));
            }
        } else if ((word == "tcp" || word == "udp" || word == "sctp") && i + 1 < words.size() &&
                   words[i + 1] == "dport") {
            rule.protocol = *form::protocol(word);
            ++i;
            auto ports = value();
            if (ports == "{") {
                for (ports = value(); !ports.empty() && ports != "}"; ports = value()) {
                    if (ports != ",") read_port_list(ports, '-', rule);
                }
            } else {
                read_port_list(ports, '-', rule);
            }
        } else if (word == "dnat") {
            rule.translates = true;
            auto next = value();
            if (next == "ip") next = value();
            if (next == "to") next = value();
            rule.target = next;
        } else if (word != "random" && word != "persistent" && word != "fully-random") {
            rule.refuse(fmt::format("'{}'", word));
        }
    }
    return rule;
}

} // namespace

Dnats read_nft(std::string_view text, const std::string& name) {
    Dnats found;
    int number = 0;
    bool of_host = false; // in a chain of hook output
    for (const auto line : lines_of(text)) {
        ++number;
        const auto words = nft_words(line);
        if (words.empty()) continue;
        if (words.front() == "chain") of_host = words.size() > 1 && words[1] == "OUTPUT";
        if (words.front() == "type") of_host = of_host || std::ranges::find(words, "output") != words.end();
        // "xt target" is what nft says of a rule of iptables that it cannot show: iptables-save does.
        if (of_host || std::ranges::find(words, "dnat") == words.end()) continue;
        finish(read_nft_rule(words), fmt::format("{}:{}", name, number), trimmed(line), found);
    }
    return found;
}

} // namespace weft::cli
