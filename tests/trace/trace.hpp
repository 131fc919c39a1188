// What `ofproto/trace` prints, taken apart: the flows and buckets that a packet met, in order, and the frames that
// left.
#pragma once
#include "tests/trace/datapath_actions.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weft::openflow {

/// A flow that was met, or a bucket.
struct Event {
    enum class Kind { flow, miss, bucket, no_bucket };
    Kind kind = Kind::flow;
    std::uint8_t table = 0;
    std::uint16_t priority = 0;
    std::uint64_t cookie = 0;
    std::string match;      ///< as ovs-ofctl writes it
    std::size_t bucket = 0; ///< its number
    bool operator==(const Event&) const = default;
    std::string to_string() const;
};

/// From the packet's arrival, or from a recirculation, to the end.
struct Pass {
    Packet begins; ///< parse_packet()
    Bits ct_state = 0;
    std::vector<Event> events;
    std::vector<Out> outputs;
    bool failed = false; ///< too deep: dropped
};

struct Trace {
    std::string text;
    /// check_pkt_larger goes both ways in a trace; here are only the passes of the packet's own.
    std::vector<Pass> passes;
    /// By group: the buckets chosen of it, in order.
    std::map<std::uint32_t, std::vector<std::size_t>> chosen;
};

/// `packet` is the one that was traced.
Trace parse_trace(std::string text, const Packet& packet, const DatapathActions::Ports& ports);

} // namespace weft::openflow
