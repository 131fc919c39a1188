// ConnectionRates: tells of ports that begin more connections than their meter lets through. The meter drops in the
// switch and no flow counts it, so its own counter is what is looked at.
#pragma once
#include "controller/published.hpp"
#include "fabric/world.hpp"
#include "openflow/message.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weft::controller {

/// A port's meter on one host and what it has dropped since it was made.
struct DroppedConnections {
    std::string port;
    std::uint64_t packets = 0, bytes = 0;
};

/// Of the ports plugged in on the host those whose meter dropped anything, by name.
std::vector<DroppedConnections> dropped_connections(const fabric::HostView& host,
                                                    const std::vector<openflow::MeterStats>& stats);

class ConnectionRates {
  public:
    explicit ConnectionRates(Voice voice) : voice_(voice) {}

    /// Says `new_connection_rate` of ports whose count rose, of each at most once a minute.
    void note(const fabric::HostView& host, const std::vector<openflow::MeterStats>& stats,
              SteadyClock::time_point now);

  private:
    struct Known {
        std::uint64_t packets = 0;
        std::optional<SteadyClock::time_point> said;
    };
    Voice voice_;
    std::set<std::string> seen_;                                 ///< hosts whose meters have been looked at
    std::map<std::pair<std::string, std::string>, Known> known_; ///< by host and port
};

} // namespace weft::controller
