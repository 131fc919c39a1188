// The documents say of the pipeline what its headers say: stages, registers, cookies, drop reasons, punts.
#include "pipeline/cookie.hpp"
#include "pipeline/punt.hpp"
#include "pipeline/stages.hpp"

#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <map>
#include <regex>
#include <sstream>

namespace weft::pipeline {
namespace {

using Row = std::vector<std::string>; ///< the cells of a line of a table

std::string path_of(const std::string& file) {
    return std::string(WEFT_SOURCE_DIR) + "/" + file;
}

std::string text_of(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(path_of(file)).rdbuf();
    EXPECT_FALSE(text.str().empty()) << file;
    return text.str();
}

/// From `begin` to `end`, without either; empty and a failure if they are not there.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
    const auto from = text.find(begin);
    const auto to = from == std::string::npos ? from : text.find(end, from + begin.size());
    EXPECT_NE(to, std::string::npos) << "no text from '" << begin << "' to '" << end << "'";
    return to == std::string::npos ? "" : text.substr(from + begin.size(), to - from - begin.size());
}

std::string trimmed(const std::string& cell) {
    const auto first = cell.find_first_not_of(' ');
    return first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') + 1 - first);
}

/// The table below the line `head`, without its rule.
std::vector<Row> table(const std::string& file, const std::string& head) {
    std::vector<Row> rows;
    std::istringstream lines(between(text_of(file), head + "\n", "\n\n"));
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("| ")) continue;
        Row row;
        std::istringstream cells(line.substr(2));
        for (std::string cell; std::getline(cells, cell, '|');)
            row.push_back(trimmed(cell));
        rows.push_back(std::move(row));
    }
    EXPECT_FALSE(rows.empty()) << head;
    return rows;
}

/// Number to name, as an enum of a header has them. Names exist only there.
std::map<int, std::string> enumerators(const std::string& header, const std::string& name) {
    const auto body =
        std::regex_replace(between(text_of(header), "enum class " + name + " ", "}"), std::regex("//.*"), "");
    std::map<int, std::string> values;
    static const std::regex kEnumerator(R"((\w+)(?: = (\d+))?\s*[,\n ])");
    int next = 0;
    const auto list = body.substr(body.find('{') + 1) + " ";
    for (std::sregex_iterator at(list.begin(), list.end(), kEnumerator), end; at != end; ++at) {
        if ((*at)[2].matched) next = std::stoi((*at)[2]);
        values[next++] = (*at)[1];
    }
    return values;
}

/// "1 fabric", "2 host" in a text, in or out of backticks.
std::map<int, std::string> numbered(const std::string& text) {
    std::map<int, std::string> found;
    static const std::regex kPair(R"(\b(\d+)\s(\w+))");
    for (std::sregex_iterator at(text.begin(), text.end(), kPair), end; at != end; ++at)
        found.emplace(std::stoi((*at)[1]), (*at)[2]);
    return found;
}

TEST(Documents, StagesAreTheTable) {
    const std::string head = "| table | stage | what it does |\n|---|---|---|\n";
    std::string rows;
    for (const auto& entry : kStages)
        rows += fmt::format("| {} | {} | {} |\n", table_of(entry.stage), entry.name, entry.does);
    auto text = text_of("docs/pipeline.md");
    const auto documented = between(text, head, "\n\n") + "\n";
    if (std::getenv("WEFT_UPDATE_GOLDEN") != nullptr && documented != rows) {
        text.replace(text.find(head) + head.size(), documented.size(), rows);
        std::ofstream(path_of("docs/pipeline.md")) << text;
        return;
    }
    EXPECT_EQ(documented, rows)
        << "docs/pipeline.md differs from pipeline/stages.hpp; WEFT_UPDATE_GOLDEN=1 rewrites it";
}

TEST(Documents, TheFlowsOfEveryStageHaveAHeading) {
    const auto text = text_of("docs/pipeline.md");
    for (const auto& entry : kStages)
        EXPECT_TRUE(std::regex_search(
            text, std::regex(fmt::format(R"(\n\*\*[^*\n]*\b{} {}\b[^*\n]*\*\*)", table_of(entry.stage), entry.name))))
            << entry.name;
}

TEST(Documents, EveryDropReasonIsExplainedAndNoOther) {
    std::multiset<std::string> explained;
    static const std::regex kName("`(\\w+)`");
    for (const auto& row : table("docs/troubleshooting.md", "| reason | meaning | remedy |"))
        for (std::sregex_iterator at(row[0].begin(), row[0].end(), kName), end; at != end; ++at)
            explained.insert((*at)[1]);
    EXPECT_THAT(explained, ::testing::UnorderedElementsAreArray(kReasonNames.begin() + 1, kReasonNames.end()));
}

TEST(Documents, CookieKindsHaveTheirNumbers) {
    std::map<int, std::string> kinds;
    for (int kind = 1; kind < 256; ++kind)
        if (const auto owner = owner_of(std::uint64_t(kind) << 56 | 1)) kinds[kind] = name_of(owner->kind);
    EXPECT_EQ(numbered(between(text_of("docs/pipeline.md"), "Kinds:", ";")), kinds);
}

TEST(Documents, PuntsHaveTheirNumbersStagesAndMeters) {
    std::map<int, std::string> punts;
    static const std::regex kLast(R"((\d+)$)");
    for (const auto& row : table("docs/pipeline.md", "| punt | from | meter | the daemon |")) {
        const auto number = std::stoi(row.at(0));
        punts[number] = row[0].substr(row[0].find(' ') + 1);
        EXPECT_TRUE(stage_named(row.at(1).substr(0, row[1].find(',')))) << row[1];
        std::smatch meter;
        ASSERT_TRUE(std::regex_search(row.at(2), meter, kLast)) << row[2];
        EXPECT_EQ(std::stoul(meter[1]), punt(static_cast<Punt>(number)).meter) << row[0];
    }
    EXPECT_EQ(punts, enumerators("pipeline/punt.hpp", "Punt"));
}

TEST(Documents, MetersHaveTheirNumbersAndRates) {
    std::map<std::uint32_t, std::uint32_t> meters;
    for (const auto& row : table("docs/pipeline.md", "| meter | packets a second | of |"))
        if (row.at(0).find('+') == std::string::npos) meters[std::stoul(row[0])] = std::stoul(row.at(1));
    EXPECT_EQ(meters, (std::map<std::uint32_t, std::uint32_t>{
                          {kPuntMeter, kPuntRate}, {kSampleMeter, kSampleRate}, {kServiceMeter, kServiceRate}}));
    const auto port =
        fmt::format("| {} + ofport | {}, {} at once |", port_service_meter(0), kPortServiceRate, kPortServiceBurst);
    EXPECT_NE(text_of("docs/pipeline.md").find(port), std::string::npos) << port;
}

TEST(Documents, RegistersHoldWhatTheHeaderSays) {
    std::set<std::string> registers;
    const auto header = between(text_of("pipeline/registers.hpp"), "//\n", "#pragma");
    static const std::regex kRegister(R"((?:^|\n)//   (\w+) )");
    for (std::sregex_iterator at(header.begin(), header.end(), kRegister), end; at != end; ++at)
        registers.insert((*at)[1]);

    std::map<std::string, std::string> rows;
    std::set<std::string> documented;
    for (const auto& row : table("docs/pipeline.md", "| register | holds |")) {
        const auto name = row.at(0).substr(1, row[0].find('`', 1) - 1);
        documented.insert(name);
        rows[name] = row.at(1);
    }
    EXPECT_EQ(documented, registers);

    const auto values_of = [&](const std::string& name) { return enumerators("pipeline/registers.hpp", name); };
    EXPECT_EQ(numbered(rows["reg4"]), values_of("WayIn"));
    EXPECT_EQ(numbered(rows["reg5"]), values_of("WayOut"));
    EXPECT_EQ(numbered(rows["reg10"]), values_of("Nat"));
    EXPECT_EQ(numbered(between(rows["reg7"], "in respond", ".")), values_of("Answering"));
    EXPECT_EQ(numbered(between(rows["reg7"], "verdict", ";")), values_of("Verdict"));
}

} // namespace
} // namespace weft::pipeline
