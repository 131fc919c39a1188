// Neighbours: who has an address on a routed physical network. Asked for by ARP or ND, from the edge of the network,
// when a packet needs them; asked again now and then, so that one that has gone is noticed. What is known is Intent's
// state; what is under way is here. (Next hops of gateways: next_hops.hpp.)
#pragma once
#include "base/asio.hpp"
#include "controller/onto_wire.hpp"
#include "controller/published.hpp"
#include "controller/resolution.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace weft::controller {

class Neighbours {
  public:
    /// A neighbour that was known does not answer any more.
    using Gone = std::function<void(const std::string& network, const Ip& ip)>;

    Neighbours(SendFrom send, Gone gone) : send_(std::move(send)), gone_(std::move(gone)) {}

    void publish(const fabric::WorldPtr& world);
    /// Somebody on the network said that it has `ip`. False: nobody asked.
    bool heard(const std::string& network, const Ip& ip);
    /// A packet from `host` needs `ip`: asked for, and `again` sent once it has answered. False: it does not answer.
    bool need(const std::string& network, const Ip& ip, const std::string& host, openflow::PacketOut again);

    /// Asks until stop().
    Task<void> run();
    void stop() { stopped_ = true; }

  private:
    struct Held {
        std::string host;
        openflow::PacketOut packet;
    };
    struct Neighbour {
        Resolution state = Resolution::resolving;
        int unanswered = 0;
        SteadyClock::time_point ask_at{};
        std::vector<Held> held;
    };
    /// Who asks, and as whom.
    struct Asker {
        std::string host;
        Mac mac;
        Ip ip;
    };
    using Key = std::pair<std::string, Ip>; ///< network, address

    std::map<Key, Asker> askers() const;
    void ask(const Key& key, const Asker& asker, SteadyClock::time_point now);

    SendFrom send_;
    Gone gone_;
    fabric::WorldPtr world_;
    std::map<Key, Neighbour> neighbours_;
    bool stopped_ = false;
};

} // namespace weft::controller
