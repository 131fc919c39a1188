// Whatever stands in a file, parse and render come back: the fuzzer's property, in every test run.
#include "tests/topology/texts.hpp"
#include "topology/allocate.hpp"

#include <random>

namespace weft::topology {
namespace {

std::string mutate(std::string text, std::mt19937& random) {
    const auto pick = [&](std::size_t bound) {
        return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
    };
    constexpr std::string_view kBytes = "\"[]{}=.,#\n\t\\0129-:/ax\xc3\x00\x7f";
    for (std::size_t edits = 1 + pick(4); edits > 0 && !text.empty(); --edits) {
        const auto at = pick(text.size());
        const auto length = std::min(pick(40) + 1, text.size() - at);
        switch (pick(4)) {
        case 0:
            text[at] = kBytes[pick(kBytes.size())];
            break;
        case 1:
            text.erase(at, length);
            break;
        case 2:
            text.insert(at, text.substr(pick(text.size()), length));
            break;
        default:
            text.insert(at, 1, kBytes[pick(kBytes.size())]);
            break;
        }
    }
    return text;
}

TEST(Mutation, NeverCrashesAndEveryErrorHasAPlace) {
    const auto sources = load(WEFT_SOURCE_DIR "/configs/examples/everything.toml");
    ASSERT_TRUE(sources);
    std::mt19937 random(7);
    for (int round = 0; round < 600; ++round) {
        const std::vector<Source> mutated{{"m.toml", mutate(sources->front().text, random)}};
        const auto parsed = parse(mutated);
        for (const auto& problem : parsed.problems) {
            EXPECT_GT(problem.where.line, 0U) << problem.text << "\n" << mutated.front().text;
            EXPECT_FALSE(render(problem, mutated).empty());
        }
        if (parsed.ok()) allocate(parsed.topology, {}, {});
    }
}

/// One word of one line changed: the syntax holds, so the rules are reached.
TEST(Mutation, OfValuesNeverCrashes) {
    const auto sources = load(WEFT_SOURCE_DIR "/configs/examples/everything.toml");
    ASSERT_TRUE(sources);
    const auto& text = sources->front().text;
    for (std::size_t quote = text.find('"'); quote != std::string::npos; quote = text.find('"', quote + 1)) {
        for (const auto* value : {"", "10.0.1.0/24", "private1", "203.0.113.2"}) {
            auto changed = text;
            const auto end = changed.find('"', quote + 1);
            if (end == std::string::npos) break;
            changed.replace(quote + 1, end - quote - 1, value);
            const std::vector<Source> mutated{{"m.toml", changed}};
            for (const auto& problem : parse(mutated).problems)
                EXPECT_FALSE(render(problem, mutated).empty());
        }
    }
}

} // namespace
} // namespace weft::topology
