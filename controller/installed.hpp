// Installed: the switches of the fabric as they are now, for a trace: what each held when it was asked, and which of
// its ports are live as far as OVSDB tells.
#pragma once
#include "controller/supervisor.hpp"
#include "fabric/walk.hpp"

#include <map>
#include <memory>
#include <string>

namespace weft::controller {

class Installed : public fabric::Switches {
  public:
    explicit Installed(const Supervisor& supervisor) : supervisor_(supervisor) {}

    /// Reads back the flows and groups of a host. Error io: it is down, or goes down meanwhile.
    Task<Result<>> read(std::string host);

    const openflow::Tables* tables(const std::string& host) override;
    bool live(const std::string& host, std::uint32_t ofport) override;

  private:
    struct Held {
        std::vector<openflow::Flow> flows;
        std::vector<openflow::GroupEntry> groups;
        std::unique_ptr<openflow::Tables> tables; ///< refers to the two
    };
    const Supervisor& supervisor_;
    std::map<std::string, Held> held_;
};

/// Whether a port that groups of `host` watch is live, by what the host's OVSDB said last: a BFD session that forwards,
/// an uplink with a link. What nothing is known of counts as live.
bool watched_is_live(const Intent& intent, const fabric::World& world, const std::string& host, std::uint32_t ofport);

} // namespace weft::controller
