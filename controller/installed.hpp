// Installed: the switches of the fabric as they are now, for a trace: what each held when it was asked, and which of
// its ports are live as far as OVSDB tells.
#pragma once
#include "controller/supervisor.hpp"
#include "fabric/walk.hpp"

#include <map>
#include <memory>
#include <string>

namespace weft::controller {

/// Which of the ports that groups watch are live, by what the hosts' OVSDB said last: a BFD session that forwards, an
/// uplink with a link. What nothing is known of counts as live. A copy: good for another thread.
class Liveness {
  public:
    explicit Liveness(const Intent& intent)
        : world_(intent.published().world), reachable_(intent.health().reachable),
          dead_links_(intent.state().learnt.dead_links) {}
    bool operator()(const std::string& host, std::uint32_t ofport) const;

  private:
    fabric::WorldPtr world_;
    std::map<std::string, std::map<Ip, bool>> reachable_;
    fabric::DeadLinks dead_links_;
};

class Installed : public fabric::Switches {
  public:
    explicit Installed(const Supervisor& supervisor) : supervisor_(supervisor), live_(supervisor.intent()) {}

    /// Reads back the flows and groups of a host. Error io: it is down, or goes down meanwhile.
    Task<Result<>> read(std::string host);

    const openflow::Tables* tables(const std::string& host) override;
    bool live(const std::string& host, std::uint32_t ofport) override { return live_(host, ofport); }

  private:
    struct Held {
        std::vector<openflow::Flow> flows;
        std::vector<openflow::GroupEntry> groups;
        std::unique_ptr<openflow::Tables> tables; ///< refers to the two
    };
    const Supervisor& supervisor_;
    Liveness live_;
    std::map<std::string, Held> held_;
};

} // namespace weft::controller
