// What the programs print for --version: scripts/version's words when CMake ran last.
#pragma once
#include <string_view>

namespace weft {

std::string_view version();

} // namespace weft
