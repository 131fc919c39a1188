// docs/topology.md says of every object which keys it has, which are required and what the others are by default. What
// the parser takes is asked of the parser, for each word that topology/read_*.cpp or the document has in quotes.
#include "tests/topology/texts.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <regex>
#include <set>
#include <sstream>

namespace weft::topology {
namespace {

using Words = std::set<std::string>;

std::string text_of(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    EXPECT_FALSE(text.str().empty()) << path;
    return text.str();
}

const std::string& reference() {
    static const auto text = text_of(WEFT_SOURCE_DIR "/docs/topology.md");
    return text;
}

bool says(const std::string& words) {
    return reference().find(words) != std::string::npos;
}

Words found(const std::string& text, const std::string& expression) {
    Words words;
    const std::regex word(expression);
    for (std::sregex_iterator at(text.begin(), text.end(), word), end; at != end; ++at)
        words.insert((*at)[1]);
    return words;
}

/// Whatever might be a key.
const Words& candidates() {
    static const Words all = [] {
        auto words = found(reference(), R"(\b([a-z][a-z0-9_]*)\b)");
        for (const auto& entry : std::filesystem::directory_iterator(WEFT_SOURCE_DIR "/topology"))
            if (entry.path().filename().string().starts_with("read_") || entry.path().filename() == "parse.cpp")
                words.merge(found(text_of(entry.path()), R"re("(\w+)")re"));
        return words;
    }();
    return all;
}

std::string problems_of_source(const std::string& text) {
    std::string all;
    for (const auto& problem : parse({{"t.toml", text}}).problems)
        all += problem.text + "\n";
    return all;
}

/// The keys that a table takes; `text` has %KEY% where one is written, `what` is the table's name in messages.
Words accepted(const std::string& text, const std::string& what) {
    Words keys;
    const auto at = text.find("%KEY%");
    for (const auto& word : candidates()) {
        const auto problems = problems_of_source(std::string(text).replace(at, 5, fmt::format("\"{}\" = 1", word)));
        if (problems.find(fmt::format("unknown key '{}' in {}\n", word, what)) == std::string::npos) keys.insert(word);
    }
    return keys;
}

struct Key {
    std::string name;
    std::string value;
    std::string by_default;
};

/// The rows of the first table behind `begin`, one Key for each key in the first cell.
std::vector<Key> table_after(const std::string& begin) {
    const auto& text = reference();
    const auto from = text.find(begin);
    EXPECT_NE(from, std::string::npos) << begin;
    const auto head = text.find("\n| key |", from);
    const auto table = text.substr(head + 1, text.find("\n\n", head) - head);
    std::vector<Key> keys;
    std::istringstream lines(table);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("| `")) continue;
        std::vector<std::string> cells;
        std::istringstream parts(line.substr(1));
        for (std::string cell; std::getline(parts, cell, '|');) {
            const auto first = cell.find_first_not_of(' ');
            cells.push_back(first == std::string::npos ? ""
                                                       : cell.substr(first, cell.find_last_not_of(' ') + 1 - first));
        }
        cells.resize(3);
        for (const auto& name : found(cells[0], "`(\\w+)`"))
            keys.push_back({name, cells[1], cells[2]});
    }
    EXPECT_FALSE(keys.empty()) << begin;
    return keys;
}

Words names(const std::vector<Key>& keys) {
    Words words;
    for (const auto& key : keys)
        words.insert(key.name);
    return words;
}

Words objects() {
    return found(reference(), R"re(\n## `\[\[([\w.]+)\]\]`)re");
}

std::vector<Key> keys_of(const std::string& object) {
    return table_after(fmt::format("\n## `[[{}]]`", object));
}

TEST(Reference, HasEveryObjectAndNoOther) {
    Words known;
    for (const auto* prefix : {"", "lab."})
        for (const auto& word : candidates()) {
            const auto problems = problems_of_source(fmt::format("[[{}{}]]\n", prefix, word));
            if (problems.find(fmt::format("unknown key '{}{}'", prefix, word)) == std::string::npos)
                known.insert(prefix + word);
        }
    known.erase("lab");
    EXPECT_EQ(objects(), known);
}

TEST(Reference, HasEveryKeyOfEveryObjectAndNoOther) {
    for (const auto& object : objects())
        EXPECT_EQ(names(keys_of(object)),
                  accepted(fmt::format("[[{}]]\n%KEY%\n", object), fmt::format("[[{}]]", object)))
            << object;
}

/// The keys between the braces that follow `begin`, with or without "= default".
Words braces_after(const std::string& begin) {
    const auto from = reference().find(begin);
    EXPECT_NE(from, std::string::npos) << begin;
    const auto open = reference().find('{', from);
    const auto inside = reference().substr(open + 1, reference().find('}', open) - open - 1);
    return found(inside, R"((?:^|,)\s*(\w+))");
}

TEST(Reference, HasEveryKeyOfTablesWithinObjects) {
    const std::string network = "[[network]]\nname = \"n\"\nkind = \"vxlan\"\n";
    EXPECT_EQ(braces_after("**`dhcp`**"), accepted(network + "dhcp = { %KEY% }\n", "'dhcp' of [[network]]"));
    EXPECT_EQ(names(table_after("**`acl`**")), accepted(network + "acl = [{ %KEY% }]\n", "an acl entry"));
    EXPECT_EQ(braces_after("| `trunk` |"), accepted("[[port]]\ntrunk = [{ %KEY% }]\n", "a trunk entry"));
    EXPECT_EQ(names(table_after("\nA rule:")), accepted("[[security_group]]\nrules = [{ %KEY% }]\n", "a rule"));
    for (const auto* direction : {"egress", "ingress"})
        EXPECT_EQ(braces_after("| `egress` |"), accepted(fmt::format("[[qos]]\n{} = {{ %KEY% }}\n", direction),
                                                         fmt::format("'{}' of [[qos]]", direction)));
    for (const auto* object : {"router", "lab.endpoint"})
        EXPECT_EQ(braces_after(fmt::format("\n## `[[{}]]`", object)),
                  accepted(fmt::format("[[{}]]\nroutes = [{{ %KEY% }}]\n", object), "a route"));
}

TEST(Reference, SaysWhichKeysAreRequired) {
    for (const auto& object : objects()) {
        Words required;
        for (const auto& key : keys_of(object))
            if (key.value.starts_with("*required*")) required.insert(key.name);
        const auto missing =
            found(problems_of_source(fmt::format("[[{}]]\n", object)), R"re(missing '(\w+)' in \[\[)re");
        EXPECT_EQ(required, missing) << object;
    }
}

/// An object with what it must have and no more.
std::string least(const std::string& object) {
    if (object == "network")
        return "name = \"n\"\nkind = \"vlan\"\nvlan = 7\nphysnet = \"p\"\nsubnet = \"10.0.1.0/24\"\n";
    if (object == "port") return "name = \"p\"\nnetwork = \"n\"\n";
    if (object == "router") return "name = \"r\"\nnetworks = [\"n\"]\n";
    if (object == "gateway") return "name = \"g\"\nnetwork = \"n\"\naddress = \"10.0.1.2\"\nhosts = [\"h\"]\n";
    if (object == "floating_ip") return "address = \"192.0.2.1\"\nport = \"p\"\ngateway = \"g\"\n";
    if (object == "lab.endpoint") return "name = \"e\"\nphysnet = \"p\"\n";
    if (object == "lab.vm") return "name = \"v\"\nhost = \"h\"\nnetwork = \"n\"\n";
    return "name = \"x\"\n";
}

/// A default that is a value of the file: with it written, all is as without.
TEST(Reference, SaysWhatKeysAreByDefault) {
    int checked = 0;
    const std::regex value(R"(^`([^`]+)`.*)");
    for (const auto& object : objects())
        for (const auto& key : keys_of(object)) {
            std::smatch found;
            if (!std::regex_match(key.by_default, found, value) || found[1] == "address") continue;
            const auto text = fmt::format("[[{}]]\n{}", object, least(object));
            const auto written = fmt::format("{}{} = {}\n", text, key.name, found[1].str());
            EXPECT_EQ(parse({{"t.toml", text}}).topology, parse({{"t.toml", written}}).topology) << written;
            EXPECT_EQ(problems_of_source(written).find("must be"), std::string::npos) << problems_of_source(written);
            ++checked;
        }
    EXPECT_GE(checked, 12);
}

TEST(Reference, SaysWhatIsDerived) {
    const auto of = [](const std::string& text) { return parse({{"t.toml", text}}).topology; };
    const std::string network = "[[network]]\nname = \"n\"\nsubnet = \"10.0.1.0/24\"\n";

    EXPECT_TRUE(says("| 1500; vxlan 1450, or 1430 if any host's `vtep` here is IPv6 |"));
    EXPECT_EQ(of(network + "kind = \"flat\"\n").networks.at("n").mtu, 1500);
    EXPECT_EQ(of(network + "kind = \"vxlan\"\n").networks.at("n").mtu, 1450);
    EXPECT_EQ(of(network + "kind = \"vxlan\"\n[[host]]\nname = \"h\"\nvtep = \"2001:db8::1\"\n").networks.at("n").mtu,
              1430);
    EXPECT_EQ(of(network + "kind = \"flat\"\n").networks.at("n").gateway, Ip::parse("10.0.1.1"));

    EXPECT_TRUE(says("{ range, lease = \"12h\", dns = [], domain, ntp = [] }"));
    EXPECT_EQ(of(network + "kind = \"flat\"\ndhcp = {}\n"),
              of(network + "kind = \"flat\"\ndhcp = { lease = \"12h\", dns = [], ntp = [] }\n"));

    EXPECT_TRUE(says("burst: 400 ms of the rate"));
    EXPECT_EQ(of("[[qos]]\nname = \"q\"\negress = { rate = \"100mbit\" }\n").qos.at("q").egress->burst_bits,
              40'000'000U);

    const auto gateway = of("[[gateway]]\n" + least("gateway")).gateways.at("g");
    EXPECT_THAT(gateway.snat, ::testing::ElementsAre(AddressRange{*gateway.address, *gateway.address}));
}

} // namespace
} // namespace weft::topology
