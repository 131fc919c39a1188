// PacketService: packets that flows ask the daemon about (pipeline/punt.hpp) and what it answers. Decides nothing about
// the fabric: routers, addresses and MTUs are the world's.
#pragma once
#include "controller/published.hpp"
#include "fabric/world.hpp"
#include "openflow/message.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace weft::controller {

class PacketService {
  public:
    /// On a host came word from a network that somebody has an address.
    using Heard =
        std::function<void(const std::string& host, const std::string& network, const Ip& ip, const Mac& mac)>;

    /// A packet needs a neighbour: keeps `again` until it is known. False: it does not answer.
    using Need = std::function<bool(const std::string& network, const Ip& ip, const std::string& host,
                                    openflow::PacketOut again)>;

    PacketService(Voice voice, Heard heard, Need need)
        : voice_(voice), heard_(std::move(heard)), need_(std::move(need)) {}

    /// What the switch of `host` shall send because of a packet it punted. Never fails: what is malformed, or no
    /// question of weft's, is passed over.
    std::vector<openflow::PacketOut> answer(const openflow::PacketIn& packet, const fabric::HostView& host);

  private:
    /// True: its way is being asked for.
    bool waits(const openflow::PacketIn& packet, const fabric::HostView& host);
    void note_exhausted(const openflow::PacketIn& packet, const fabric::HostView& host);

    Voice voice_;
    Heard heard_;
    Need need_;
    std::map<std::string, SteadyClock::time_point> exhausted_; ///< gateway → when it was said last
};

} // namespace weft::controller
