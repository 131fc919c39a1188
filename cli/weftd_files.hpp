// What a weftd of this machine has in files: its settings and state, for the support bundle of one that does not
// answer.
#pragma once
#include "base/result.hpp"

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

namespace weft::cli {

/// The text of weftd.toml: beside the socket of a lab, else in /etc/weft. Nothing where it cannot be read, or `address`
/// (that of Daemon) is no unix socket: then weftd may be on another machine.
std::optional<std::string> settings_of(const std::string& address);

struct StateFile {
    std::string name;           ///< "revision-7"
    boost::json::value content; ///< a string of what is there, if it is damaged
};

/// Of the state directory that the settings name: the state, the newest revision, and the newest events on request
/// (docs/operations.md). Errors (io) name the file and the reason.
Result<std::vector<StateFile>> state_files(const std::string& settings, bool events);

/// The name in os-release(5), and the kernel's release: "Debian GNU/Linux 12 (bookworm)", "6.1.0-18-amd64".
struct Machine {
    std::string system, kernel;
};
Machine this_machine();

} // namespace weft::cli
