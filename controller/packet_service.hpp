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
    /// Somebody on a network said that it has an address.
    using Heard = std::function<void(const std::string& network, const Ip& ip, const Mac& mac)>;

    PacketService(Voice voice, Heard heard) : voice_(voice), heard_(std::move(heard)) {}

    /// What the switch of `host` shall send because of a packet it punted. Never fails: what is malformed, or no
    /// question of weft's, is passed over.
    std::vector<openflow::PacketOut> answer(const openflow::PacketIn& packet, const fabric::HostView& host);

  private:
    void note_exhausted(const openflow::PacketIn& packet, const fabric::HostView& host);

    Voice voice_;
    Heard heard_;
    std::map<std::string, SteadyClock::time_point> exhausted_; ///< gateway → when it was said last
};

} // namespace weft::controller
