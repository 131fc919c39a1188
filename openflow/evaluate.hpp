// Evaluate: what one switch does with one packet, by the flows and groups that it holds. Pure. The semantics are those
// of Open vSwitch 3.1 (ovs-actions(7), ofproto/ofproto-dpif-xlate.c) over what weft's values can say; a test compares
// it with `ovs-appctl ofproto/trace` packet by packet. Used by fabric/walk.
#pragma once
#include "openflow/classifier.hpp"

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace weft::openflow {

/// The flows and groups of one switch, ready to be asked. Refers to them: they must outlive it. Flows that are
/// `foreign` are not asked: weft cannot say what they do.
class Tables {
  public:
    Tables(std::span<const Flow> flows, std::span<const GroupEntry> groups);
    const Flow* find(std::uint8_t table, const Packet& packet) const;
    const GroupEntry* group(std::uint32_t id) const;

  private:
    std::array<Classifier, 256> tables_;
    std::map<std::uint32_t, const GroupEntry*> groups_;
};

/// The connection tracker, as a packet meets it at ct(): what it says of the packet's connection, and what it
/// translates. fabric/connections is one; the comparison with `ofproto/trace` brings its own.
class Tracker {
  public:
    virtual ~Tracker() = default;
    /// Sets the packet's ct_ fields and, with `action.nat`, its addresses and ports, as they are behind
    /// ct(zone=`zone`, …). Called once a ct action, in the order of execution.
    virtual void track(const Ct& action, std::uint16_t zone, Packet& packet) = 0;
};

/// What evaluate must be told of the switch beside its tables.
struct Surroundings {
    Tracker* tracker = nullptr; ///< required
    /// Whether a port that fast-failover buckets watch is live. Null: all are.
    std::function<bool(std::uint32_t ofport)> live;
    /// Which of the buckets of a `select` group; the switch takes one by a hash of the packet. Null: the first.
    std::function<std::size_t(const GroupEntry& group)> select;
};

/// A packet came to a table. `flow` null: no flow matched, which drops it.
struct Visited {
    std::uint8_t table = 0;
    const Flow* flow = nullptr;
};
/// A bucket of a group was executed; `bucket` null: none was (fast_failover: none lives).
struct Grouped {
    const GroupEntry* group = nullptr;
    const Bucket* bucket = nullptr;
};
/// A group that the switch does not hold; it drops.
struct NoGroup {
    std::uint32_t id = 0;
};
/// ct(): the packet as it is behind it. With `action->table` it goes on there.
struct Tracked {
    const Ct* action = nullptr;
    std::uint16_t zone = 0;
};
struct Sent {
    std::uint32_t port = 0; ///< an ofport; in_port's own number for kInPort
};
struct Punted {
    const Controller* action = nullptr;
};
/// An output to the port that the packet came in by, which Open vSwitch leaves out.
struct NotSentBack {
    std::uint32_t port = 0;
};
/// dec_ttl at 1 or 0: the actions end here (ovs-actions(7), dec_ttl).
struct TtlExpired {};
/// More resubmits than Open vSwitch does (64 deep, or 4096 in all): the packet is dropped.
struct TooDeep {};

struct Step {
    static constexpr std::size_t kStart = static_cast<std::size_t>(-1);
    /// The step before on this copy of the packet's way; kStart for the first.
    std::size_t previous = kStart;
    std::variant<Visited, Grouped, NoGroup, Tracked, Sent, Punted, NotSentBack, TtlExpired, TooDeep> what;
    Packet packet; ///< at this step, behind what the step does; of Visited: as it was looked up
};

/// In the order in which Open vSwitch executes: what a ct(table=…) recirculates comes after all that was begun before.
using Steps = std::vector<Step>;

/// `packet` enters at `table`; its in_port, registers and ct fields are as set.
Steps evaluate(const Tables& tables, const Packet& packet, std::uint8_t table, const Surroundings& surroundings);

/// The indices of the steps that led to `last`, it included, in order.
std::vector<std::size_t> way_to(const Steps& steps, std::size_t last);

} // namespace weft::openflow
