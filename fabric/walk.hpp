// Walk: the whole way of one packet through the fabric: what each switch it comes to does with it (openflow/evaluate),
// and where what that sends goes on: another host's tunnel port, a physical network, a port. Pure; the switches' flows
// are given, whether read from hosts (trace) or compiled (reachability of a plan).
#pragma once
#include "fabric/connections.hpp"
#include "fabric/world.hpp"
#include "pipeline/cookie.hpp"
#include "pipeline/punt.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weft::fabric {

/// The switches of the fabric, as they are asked during a walk.
class Switches {
  public:
    virtual ~Switches() = default;
    /// What a host's switch holds; null: not known (yet).
    virtual const of::Tables* tables(const std::string& host) = 0;
    /// Whether a port that a host's groups watch is live: a BFD session that forwards, an uplink with a link.
    virtual bool live(const std::string& host, std::uint32_t ofport) = 0;
};

/// Where a packet comes in: by a port of a host, or from a physical network's wire.
struct Entrance {
    std::string host;         ///< empty: from the wire
    std::uint32_t ofport = 0; ///< of the host's bridge
    std::string physnet;      ///< of the wire
};

/// One switch's part of the way.
struct Passage {
    std::string host;
    of::Steps steps;
    std::size_t previous = of::Step::kStart; ///< the passage that it came from; kStart: it entered there
    std::size_t sent = 0;                    ///< by which of that one's steps
};

/// Where a copy of the packet's way ends.
struct End {
    enum class Kind {
        port,    ///< out of a port's interface
        wire,    ///< to a physical network, and to no host of the fabric there
        drop,    ///< by a flow that says why, or by one that sends it nowhere
        standby, ///< at a gateway's gate: another candidate is before this host, and answers
        punt,    ///< to weftd
        unknown, ///< at a host whose switch is not known
    };
    Kind kind = Kind::drop;
    std::string host;
    std::string object; ///< port: its name, or an interface's ofport; wire: the physical network
    pipeline::Reason reason = pipeline::Reason::none; ///< of a drop
    std::optional<pipeline::Punt> punt;               ///< also of a drop that weftd hears of
    std::size_t passage = 0, step = 0;
};

struct Walk {
    std::vector<Passage> passages;
    std::vector<End> ends;
    std::set<std::string> missing; ///< hosts whose tables were asked for and are not known

    /// The steps that led to an end, over all switches: (passage, step), in order.
    std::vector<std::pair<std::size_t, std::size_t>> way_to(const End& end) const;
    const of::Step& step(std::pair<std::size_t, std::size_t> at) const { return passages[at.first].steps[at.second]; }
};

/// `connections` is filled on the way. Where a `select` group chooses, the first bucket is taken.
Walk walk(const World& world, Switches& switches, Connections& connections, const Entrance& entrance,
          const of::Packet& packet);

} // namespace weft::fabric
