// RouterAdvertiser: router advertisements that nobody solicited (RFC 4861, 6.2.4): to each guest when it is plugged in
// and when what it is told changes, and now and then, so that none ends while weftd lives. Each guest is told what is
// true of its own port.
#pragma once
#include "base/asio.hpp"
#include "controller/guest_config.hpp"
#include "controller/onto_wire.hpp"
#include "fabric/world.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace weft::controller {

class RouterAdvertiser {
  public:
    /// For counters: an advertisement went to a guest of the network.
    using Sent = std::function<void(const std::string& network)>;

    RouterAdvertiser(SendFrom send, Sent sent) : send_(std::move(send)), sent_(std::move(sent)) {}

    void publish(fabric::WorldPtr world) { world_ = std::move(world); }

    /// Advertises what is due until stop().
    Task<void> run();
    void stop() { stopped_ = true; }

    /// One step: what is due at `now` is sent. For run(), and for tests.
    void advertise(SteadyClock::time_point now);

  private:
    struct Listener {
        std::string host;
        ObjectId network, attachment;
        GuestConfig guest;
        int initial = 0; ///< advertisements that still follow each other quickly
        SteadyClock::time_point due;
    };
    using Key = std::pair<std::string, std::string>; ///< network, port

    void look(SteadyClock::time_point now);
    void look_at(const fabric::NetworkView& network, SteadyClock::time_point now);
    bool say(const Listener& listener, Frame frame);
    void withdraw(Listener listener, SteadyClock::time_point now);

    SendFrom send_;
    Sent sent_;
    fabric::WorldPtr world_, seen_;
    std::map<Key, Listener> listeners_;
    std::vector<Listener> farewells_; ///< what is to be withdrawn; `due`: when it is too late for that
    bool stopped_ = false;
};

} // namespace weft::controller
