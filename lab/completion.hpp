// Shell completion, made from the commands themselves so that it cannot lag behind them.
#pragma once
#include <string>

namespace CLI {
class App;
}

namespace weft::lab {

/// A bash script: commands, their options, the labs that are up, and the names of what the lab is made of.
std::string bash_completion(const CLI::App& app);

} // namespace weft::lab
