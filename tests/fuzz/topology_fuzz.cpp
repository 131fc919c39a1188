// Any bytes as a topology file: parse, validate, render and allocate must come back.
#include "topology/allocate.hpp"
#include "topology/parse.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weft::topology;
    const std::vector<Source> sources{{"fuzz.toml", std::string(reinterpret_cast<const char*>(data), size)}};
    const auto parsed = parse(sources);
    for (const auto& problem : parsed.problems) {
        if (render(problem, sources).empty()) __builtin_trap();
    }
    if (parsed.ok()) allocate(parsed.topology, {}, {});
    return 0;
}
