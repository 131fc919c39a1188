// PortMeters: tells of ports whose meters drop: they begin too many connections, or ask weft for too much. (That a port
// sends more than its rate is no event: TCP does so all the time.) A meter
// drops in the switch and no flow counts it, so its own counter is what is looked at.
#pragma once
#include "controller/published.hpp"
#include "fabric/world.hpp"
#include "openflow/message.hpp"
#include "pipeline/cookie.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weft::controller {

/// A port's meter on one host and what it has dropped since it was made.
struct MeterDrops {
    std::string port;
    pipeline::Reason reason = pipeline::Reason::none; ///< new_connection_rate, punt_limit or rate
    std::uint64_t packets = 0, bytes = 0;
    bool to_port = false; ///< of what goes to it
};

/// Of the ports plugged in on the host those whose meters dropped anything, by name and meter.
std::vector<MeterDrops> meter_drops(const fabric::HostView& host, const std::vector<openflow::MeterStats>& stats);

class PortMeters {
  public:
    explicit PortMeters(Voice voice) : voice_(voice) {}

    /// Says the reason of meters whose count rose, of each at most once a minute.
    void note(const fabric::HostView& host, const std::vector<openflow::MeterStats>& stats,
              SteadyClock::time_point now);

  private:
    struct Known {
        std::uint64_t packets = 0;
        std::optional<SteadyClock::time_point> said;
    };
    Voice voice_;
    std::set<std::string> seen_; ///< hosts whose meters have been looked at
    std::map<std::tuple<std::string, std::string, pipeline::Reason>, Known> known_; ///< by host, port, reason
};

} // namespace weft::controller
