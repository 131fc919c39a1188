// Topologies for tests, from text.
#pragma once
#include "topology/parse.hpp"

#include <gtest/gtest.h>

namespace weft::topology {

inline std::string rendered(const Parsed& parsed, const std::vector<Source>& sources) {
    std::string all;
    for (const auto& problem : parsed.problems)
        all += render(problem, sources);
    return all;
}

/// The problems of a file "t.toml", as the admin reads them.
inline std::string problems_of(std::string_view text) {
    const std::vector<Source> sources{{"t.toml", std::string(text)}};
    return rendered(parse(sources), sources);
}

/// The topology of a text without problems.
inline Topology sound(std::string_view text) {
    const std::vector<Source> sources{{"t.toml", std::string(text)}};
    auto parsed = parse(sources);
    EXPECT_EQ(rendered(parsed, sources), "");
    return std::move(parsed.topology);
}

} // namespace weft::topology
