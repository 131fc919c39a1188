// weftd.toml → Settings: where the daemon listens, where it keeps its state, and what it knows of hosts that the
// topology does not say. Every problem is reported with its place, in the topology's own form (topology::render).
#pragma once
#include "base/address.hpp"
#include "base/stream.hpp"
#include "controller/log.hpp"
#include "topology/model.hpp"
#include "topology/parse.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weft::controller {

/// `[host.NAME]`: what is set wins over the topology's [[host]] of that name.
struct HostSettings {
    std::optional<std::string> ovsdb;
    std::optional<Ip> vtep;
    std::optional<topology::Datapath> datapath;
    std::optional<std::map<std::string, std::string>> uplinks; ///< replaces the whole table
    std::optional<std::string> libvirt;
    bool operator==(const HostSettings&) const = default;
};

struct Settings {
    Endpoint openflow{Endpoint::Transport::tcp, "0.0.0.0", 6653}; ///< bridges dial in here
    std::vector<std::string> api{"unix:/run/weft/api.sock"};      ///< "unix:PATH", "http:ADDR:PORT"
    std::string state_dir = "/var/lib/weft";
    std::string
        advertise; ///< the address by which hosts reach `openflow`; empty: the local address of each OVSDB session
    /// Who is asked for names that weft does not know, for networks whose `dhcp.dns` names nobody but weft. In order.
    std::vector<Ip> resolvers;
    LogLevel log_level = LogLevel::info;
    std::optional<TlsFiles> tls;
    std::map<std::string, HostSettings> hosts;
    bool operator==(const Settings&) const = default;
};

struct ParsedSettings {
    Settings settings;
    std::vector<topology::Problem> problems; ///< in order of place; all are errors
    bool ok() const { return problems.empty(); }
};

/// Pure. An empty text gives the defaults.
ParsedSettings parse_settings(const topology::Source& source);

/// Puts `hosts` over the topology's hosts. Names that the topology lacks are passed over: settings may run ahead.
void apply_host_settings(const std::map<std::string, HostSettings>& hosts, topology::Topology& topology);

} // namespace weft::controller
