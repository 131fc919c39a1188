// weftctl's arguments: which command, on which daemon, printed how.
#pragma once
#include "cli/environment.hpp"

#include <string>
#include <vector>

namespace weft::cli {

/// Runs one command line (without the program's name) and returns its exit code.
int run(const std::vector<std::string>& arguments, Environment& environment);

} // namespace weft::cli
