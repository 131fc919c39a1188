// What a switch holds, as values: flows, groups, meters. "Flow" is the table entry; the message that makes one is a
// FlowMod (openflow/message).
#pragma once
#include "openflow/action.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weft::openflow {

struct Flow {
    std::uint8_t table = 0;
    std::uint16_t priority = 0; ///< 0..65535; 0 is a real priority
    std::uint64_t cookie = 0;   ///< names the owner (pipeline/cookie); never 0 for a flow of weft's
    Match match;
    Actions actions;
    /// Empty for every flow of weft's. A decoded flow that holds what these values cannot say (a timeout, a flag,
    /// another action or field) is here in ovs-ofctl's words: so it equals no flow of weft's, and can only be removed.
    std::string foreign{};
    bool operator==(const Flow&) const = default;
};

enum class GroupType : std::uint8_t { all = 0, select = 1, indirect = 2, fast_failover = 3 };

struct Bucket {
    Actions actions;
    std::optional<std::uint32_t> watch_port; ///< fast_failover: live while this port is
    bool operator==(const Bucket&) const = default;
};

/// One GROUP_MOD and one line of a group dump must fit 65,519 bytes: about 600 buckets of a flood.
struct GroupEntry {
    std::uint32_t id = 0;
    GroupType type = GroupType::all;
    std::vector<Bucket> buckets;
    std::string foreign{}; ///< as Flow::foreign
    bool operator==(const GroupEntry&) const = default;
};

struct MeterEntry {
    std::uint32_t id = 0; ///< 1..0xffff0000
    bool packets = false; ///< rate in packets/s instead of kbit/s
    std::uint32_t rate = 0;
    std::uint32_t burst = 0; ///< kbit or packets; 0: the switch's default
    std::string foreign{};   ///< as Flow::foreign
    bool operator==(const MeterEntry&) const = default;
};

} // namespace weft::openflow
