// Neighbours: who has an address on a physical network. Gateways' next hops are always asked for, by ARP or ND from the
// active host; others when a packet needs them, from the edge of their network. Asked again now and then, so that one
// that has gone is noticed. What is known is Intent's state; what is under way is here.
#pragma once
#include "base/asio.hpp"
#include "controller/onto_wire.hpp"
#include "controller/published.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace weft::controller {

enum class NeighbourState {
    resolving, ///< asked, has not answered yet
    resolved,
    failed, ///< does not answer
};
std::string_view name_of(NeighbourState state);

class Neighbours {
  public:
    /// A neighbour that was known does not answer any more.
    using Gone = std::function<void(const std::string& network, const Ip& ip)>;

    Neighbours(Voice voice, SendFrom send, Gone gone) : voice_(voice), send_(std::move(send)), gone_(std::move(gone)) {}

    /// The world, and the active host of each gateway (empty: none).
    void publish(const fabric::WorldPtr& world, const std::map<std::string, std::string>& active);
    /// Somebody on the network said that it has `ip`.
    void heard(const std::string& network, const Ip& ip);
    /// A packet from `host` needs `ip`: asked for, and `again` sent once it has answered. False: it does not answer.
    bool need(const std::string& network, const Ip& ip, const std::string& host, openflow::PacketOut again);

    /// Asks until stop().
    Task<void> run();
    void stop() { stopped_ = true; }

    NeighbourState state(const std::string& network, const Ip& ip) const;

  private:
    struct Held {
        std::string host;
        openflow::PacketOut packet;
    };
    struct Neighbour {
        NeighbourState state = NeighbourState::resolving;
        bool nexthop = false; ///< of a gateway
        int unanswered = 0;
        SteadyClock::time_point ask_at{};
        std::vector<Held> held;
    };
    /// Who asks, and as whom.
    struct Asker {
        std::string host;
        Mac mac;
        Ip ip;
        std::string gateway; ///< of a next hop
    };
    using Key = std::pair<std::string, Ip>; ///< network, address

    std::map<Key, Asker> askers() const;
    void ask(const Key& key, const Asker& asker, SteadyClock::time_point now);

    Voice voice_;
    SendFrom send_;
    Gone gone_;
    fabric::WorldPtr world_;
    std::map<std::string, std::string> active_;
    std::map<Key, Neighbour> neighbours_;
    bool stopped_ = false;
};

} // namespace weft::controller
