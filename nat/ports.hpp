// Port ranges as the value/mask pairs that a match can hold.
#pragma once
#include "openflow/match.hpp"
#include "topology/model.hpp"

#include <algorithm>
#include <vector>

namespace weft::nat {

struct PortBlock {
    std::uint16_t value = 0, mask = 0;
    bool operator==(const PortBlock&) const = default;
};

/// The fewest blocks that cover a range, in order. At most 30.
inline std::vector<PortBlock> port_blocks(const topology::PortRange& range) {
    std::vector<PortBlock> result;
    for (std::uint32_t first = range.first; first <= range.last;) {
        std::uint32_t size = 1;
        while (first % (size * 2) == 0 && first + size * 2 - 1 <= range.last)
            size *= 2;
        result.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(0x10000 - size)});
        first += size;
    }
    return result;
}

/// Of several ranges, which may overlap.
inline std::vector<PortBlock> port_blocks(std::vector<topology::PortRange> ranges) {
    std::ranges::sort(ranges);
    std::vector<PortBlock> result;
    for (auto range = ranges.begin(); range != ranges.end();) {
        auto joined = *range;
        for (++range; range != ranges.end() && range->first <= joined.last + 1; ++range)
            joined.last = std::max(joined.last, range->last);
        const auto blocks = port_blocks(joined);
        result.insert(result.end(), blocks.begin(), blocks.end());
    }
    return result;
}

/// The destination port's field of tcp, udp or sctp.
inline openflow::Field port_field(std::uint8_t protocol) {
    switch (protocol) {
    case openflow::ip_proto::kTcp:
        return openflow::Field::tcp_dst;
    case openflow::ip_proto::kSctp:
        return openflow::Field::sctp_dst;
    default:
        return openflow::Field::udp_dst;
    }
}

/// Its source port's field.
inline openflow::Field source_port_field(std::uint8_t protocol) {
    switch (protocol) {
    case openflow::ip_proto::kTcp:
        return openflow::Field::tcp_src;
    case openflow::ip_proto::kSctp:
        return openflow::Field::sctp_src;
    default:
        return openflow::Field::udp_src;
    }
}

} // namespace weft::nat
