// An imported topology file as an admin takes it: as it is, or with all that has to be completed uncommented.
#pragma once
#include "topology/parse.hpp"

#include <gtest/gtest.h>
#include <sstream>
#include <string>

namespace weft::test {

/// The problems of a file, errors only, as an admin sees them.
inline std::string errors_of(const std::string& toml) {
    const std::vector<topology::Source> sources{{"import.toml", toml}};
    std::string errors;
    for (const auto& problem : topology::parse(sources).problems)
        if (problem.severity == topology::Severity::error) errors += render(problem, sources);
    return errors;
}

/// As an admin who takes every placeholder for true.
inline std::string uncommented(const std::string& toml) {
    std::istringstream lines(toml);
    std::string result;
    for (std::string line; std::getline(lines, line);)
        result += (line.size() > 1 && line[0] == '#' && line[1] != ' ' ? line.substr(1) : line) + "\n";
    return result;
}

inline topology::Topology parsed(const std::string& toml) {
    EXPECT_EQ(errors_of(toml), "") << toml;
    return topology::parse({{"import.toml", toml}}).topology;
}

} // namespace weft::test
