#include "lab/command.hpp"
#include "lab/commands.hpp"

#include <fmt/format.h>
#include <fstream>
#include <iterator>

namespace weft::lab {

Result<bool> matrix(const MatrixOptions& options) {
    if (auto root = check_root(); !root) return std::unexpected(root.error());
    const auto opened = open_lab(options.name);
    if (!opened) return std::unexpected(opened.error());
    std::vector<Expectation> expected;
    if (!options.expect.empty()) {
        std::ifstream file(options.expect);
        if (!file) return fail(ErrorKind::invalid, fmt::format("cannot read {}", options.expect));
        auto parsed = parse_expectations({std::istreambuf_iterator<char>(file), {}});
        if (!parsed) return std::unexpected(parsed.error());
        expected = std::move(*parsed);
    }
    const auto answers = send_probes(opened->plan, probes_of(opened->plan), options.probe);
    if (!answers) return std::unexpected(answers.error());
    fmt::print("{}", options.as_json ? to_json(*answers) + "\n" : to_table(opened->plan, *answers));
    if (options.expect.empty()) return true;
    const auto wrong = differences(expected, *answers);
    for (const auto& line : wrong)
        fmt::print(stderr, "{}\n", line);
    return wrong.empty();
}

} // namespace weft::lab
