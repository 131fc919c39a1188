// GatewayKeeper: what gateways need of the daemon beside flows: their next hops are asked for by ARP and ND, and asked
// again so that a silent one is noticed; and a public address that becomes active on a host is announced there, so that
// the physical network learns where it is. Fed by Intent's world and by what the hosts' switches heard.
#pragma once
#include "base/asio.hpp"
#include "controller/published.hpp"
#include "openflow/message.hpp"

#include <functional>
#include <map>
#include <string>

namespace weft::controller {

enum class NexthopState {
    resolving, ///< asked, has not answered yet
    resolved,
    failed, ///< does not answer any more
};
std::string_view name_of(NexthopState state);

class GatewayKeeper {
  public:
    /// Sends a packet from a host's switch. False when the host cannot now.
    using Send = std::function<bool(const std::string& host, const openflow::PacketOut& packet)>;

    GatewayKeeper(Voice voice, Send send) : voice_(voice), send_(std::move(send)) {}

    /// The world, and the active host of each gateway (empty: none).
    void publish(const fabric::WorldPtr& world, const std::map<std::string, std::string>& active);
    /// Somebody on a public network said that it has `ip`.
    void heard(const std::string& network, const Ip& ip);

    /// Asks and announces until stop().
    Task<void> run();
    void stop() { stopped_ = true; }

    NexthopState nexthop(const std::string& network, const Ip& ip) const;

  private:
    struct Nexthop {
        NexthopState state = NexthopState::resolving;
        int unanswered = 0;
        SteadyClock::time_point ask_at{};
    };
    using Key = std::pair<std::string, Ip>; ///< network, address

    void ask(const nat::Gateway& gateway, const Ip& nexthop, const std::string& host);
    void announce();

    Voice voice_;
    Send send_;
    fabric::WorldPtr world_;
    std::map<std::string, std::string> active_;
    std::map<Key, Nexthop> nexthops_;
    /// Announcements still to make: (host, address) → how often.
    struct Announcement {
        std::string network;
        Mac mac;
        int times = 0;
    };
    std::map<std::pair<std::string, Ip>, Announcement> pending_;
    std::map<Ip, std::string> answering_; ///< public address → the host that answers for it
    bool stopped_ = false;
};

} // namespace weft::controller
