// A draft as a topology file. Pure.
#pragma once
#include "cli/import_draft.hpp"

#include <string>

namespace weft::cli {

/// TOML with comments. Lines that begin with "#" and no blank are TOML too: those that have to be completed by hand.
std::string to_toml(const Draft& draft);

} // namespace weft::cli
