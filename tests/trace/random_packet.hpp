// Random packets as they may come to one host of a fabric: most of them what a guest, the wire or another host would
// send to an address that is somebody's, many with something wrong about them.
#pragma once
#include "tests/trace/agreement.hpp"
#include "tests/trace/packet_text.hpp"
#include "tests/trace/random_fabric.hpp"

#include <string>
#include <vector>

namespace weft::fabric {

class RandomPackets {
  public:
    /// Refers to them.
    RandomPackets(Dice& dice, const World& world, const std::string& host, const SwitchState& state);

    openflow::Question next();

  private:
    /// Who sends, as the packet says.
    struct Sender {
        Mac mac;
        std::vector<Ip> ips;
        std::string network;
    };

    Sender from_port(openflow::Packet& packet);
    Sender from_wire(openflow::Packet& packet);
    Sender from_tunnel(openflow::Packet& packet);
    void address(openflow::Packet& packet, const Sender& sender);
    void arp(openflow::Packet& packet, const Sender& sender);
    void ip(openflow::Packet& packet, const Sender& sender);
    void layer4(openflow::Packet& packet, bool v6);
    void discovery(openflow::Packet& packet, const Sender& sender);
    void connection(openflow::Packet& packet);
    Ip target(const Sender& sender, bool v6);
    std::vector<const openflow::Flow*> with_clauses(const openflow::Flow& flow);
    void satisfy(openflow::Question& question);
    bool satisfy(openflow::Packet& packet, const openflow::Flow& flow);

    Dice& dice_;
    const World& world_;
    const HostView& host_;
    std::map<std::uint8_t, std::vector<const openflow::Flow*>> by_table_;
    std::vector<AttachmentPtr> here_;                ///< attachments of ports plugged in here
    std::map<std::string, std::vector<Sender>> all_; ///< by network: its attachments wherever they are
    std::vector<Mac> macs_;
    std::vector<Ip> ips_;
    std::vector<openflow::Bits> marks_; ///< of policies in force
};

} // namespace weft::fabric
