// Connections: the connection trackers of the fabric's hosts, as far as the packets of one trace or question have
// filled them. A packet of a connection that none of them knows is new; an answer to it is established, and is
// translated back. Pure: no conntrack table of any host is read.
#pragma once
#include "openflow/evaluate.hpp"

#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace weft::fabric {

namespace of = openflow;

class Connections {
  public:
    /// What is made up where Open vSwitch would choose: "203.0.113.10 of 203.0.113.10-203.0.113.13".
    std::vector<std::string> assumed;

    /// The tracker of a host. Valid as long as this.
    of::Tracker& at(const std::string& host);

    /// The packet that answers `packet`: addresses, ports, MACs swapped, an echo request a reply. It enters where
    /// nothing is known of it yet: no registers, no ct fields.
    static of::Packet answer_to(const of::Packet& packet);

  private:
    /// One direction of a connection. Of ICMP the ports are 0: one question at a time is asked.
    struct Tuple {
        bool v6 = false;
        std::uint8_t protocol = 0;
        of::Bits source = 0, target = 0;
        std::uint16_t source_port = 0, target_port = 0;
        auto operator<=>(const Tuple&) const = default;
    };
    struct Connection {
        Tuple original, reply;
        bool answered = false;
        bool source_translated = false, target_translated = false;
        of::Bits mark = 0, label = 0;
        std::uint8_t icmp_type = 0, icmp_code = 0; ///< of its first packet
    };
    class At : public of::Tracker {
      public:
        explicit At(std::vector<std::string>& assumed) : assumed_(assumed) {}
        void track(const of::Ct& action, std::uint16_t zone, of::Packet& packet) override;

      private:
        /// Source or target of a new connection, as `nat` wants it.
        void translate(const of::Nat& nat, Connection& connection);
        /// The packet's addresses and ports, as the connection's translation wants them.
        static std::uint32_t rewrite(const Connection& connection, bool reply, of::Packet& packet);

        std::map<std::uint16_t, std::vector<Connection>> zones_;
        std::vector<std::string>& assumed_;
    };
    static Connection begun_by(const of::Packet& packet);
    static Tuple tuple_of(const of::Packet& packet);
    static void put(const Tuple& tuple, of::Packet& packet);
    static Tuple reversed(const Tuple& tuple);

    std::map<std::string, At> hosts_;
};

} // namespace weft::fabric
