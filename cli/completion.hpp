// Shell completion, made from the commands themselves so that it cannot lag behind them.
#pragma once
#include <string>

namespace CLI {
class App;
}

namespace weft::cli {

/// A bash script: commands, their options, file names where a PATH stands, kinds and live names after `show`.
std::string bash_completion(const CLI::App& app);

} // namespace weft::cli
