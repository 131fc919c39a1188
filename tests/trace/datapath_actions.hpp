// The last line of a trace, "Datapath actions: ", carried out on a packet: what really leaves the switch, frame by
// frame. By the text of odp-util.c (format_odp_actions).
#pragma once
#include "openflow/packet.hpp"

#include <map>
#include <string_view>
#include <vector>

namespace weft::openflow {

/// A frame that leaves, or goes to the controller.
struct Out {
    enum class Kind { sent, punted, expired };
    Kind kind = Kind::sent;
    std::uint32_t port = 0;   ///< sent: the ofport
    std::uint64_t cookie = 0; ///< punted: of the flow that did
    Packet packet;            ///< by a tunnel: with tun_id and tun_dst
};

class DatapathActions {
  public:
    /// Datapath port → ofport.
    using Ports = std::map<std::uint32_t, std::uint32_t>;

    DatapathActions(const Ports& ports, const Packet& packet, std::vector<Out>& outputs)
        : ports_(ports), packet_(packet), outputs_(outputs) {}
    void run(std::string_view actions);

  private:
    void one(std::string_view name, std::string_view arguments);
    void nested(std::string_view actions); ///< on a copy
    void set(std::string_view what);
    void push_tunnel(std::string_view arguments);
    void punt(std::string_view arguments);

    const Ports& ports_;
    Packet packet_;
    std::vector<Out>& outputs_;
    std::vector<Bits> inner_tags_; ///< of VLANs, below the outermost
    bool tunnelled_ = false;       ///< it is inside another packet, which goes on by the underlay's bridge
};

} // namespace weft::openflow
