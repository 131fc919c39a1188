#include "openflow/evaluate.hpp"

#include <algorithm>
#include <deque>
#include <utility>

namespace weft::openflow {
namespace {

// ofproto/ofproto-dpif-xlate.c: MAX_DEPTH, MAX_RESUBMITS.
constexpr unsigned kMaxDepth = 64;
constexpr unsigned kMaxResubmits = 64 * 64;

constexpr std::array kConnectionFields{Field::ct_state,    Field::ct_zone,   Field::ct_mark,     Field::ct_label,
                                       Field::ct_nw_src,   Field::ct_nw_dst, Field::ct_nw_proto, Field::ct_ipv6_src,
                                       Field::ct_ipv6_dst, Field::ct_tp_src, Field::ct_tp_dst};

void forget_connection(Packet& packet) {
    for (const auto field : kConnectionFields)
        packet.set(field, 0);
}

/// Where an action stands in an action set (ofp-actions.c, ACTION_SET_ORDER and ACTION_SET_FINAL_PRIORITY). Of each
/// rank but kSets, the last counts; of those above it, the highest.
constexpr int kSets = 3;
template <class T>
constexpr int kRank = kSets;
template <>
constexpr int kRank<PopVlan> = 0;
template <>
constexpr int kRank<PushVlan> = 1;
template <>
constexpr int kRank<DecTtl> = 2;
template <>
constexpr int kRank<Ct> = 4;
template <>
constexpr int kRank<CtClear> = 5;
template <>
constexpr int kRank<Resubmit> = 6;
template <>
constexpr int kRank<Output> = 7;
template <>
constexpr int kRank<Group> = 8;

/// A bucket's actions as they are executed: it is an action set, whatever their order. Without one that sends the
/// packet on there are none.
std::vector<const Action*> in_order(const Actions& set) {
    std::map<int, std::vector<const Action*>> ranked;
    for (const auto& action : set) {
        const auto rank = std::visit([]<class T>(const T&) { return kRank<T>; }, action.value);
        auto& alike = ranked[rank];
        if (rank != kSets) alike.clear();
        alike.push_back(&action);
    }
    if (ranked.empty() || ranked.rbegin()->first <= kSets) return {};
    std::vector<const Action*> list;
    for (auto at = ranked.begin(); at != ranked.end(); ++at)
        if (at->first <= kSets || at == std::prev(ranked.end()))
            list.insert(list.end(), at->second.begin(), at->second.end());
    return list;
}

class Evaluation {
  public:
    Evaluation(const Tables& tables, const Surroundings& around) : tables_(tables), around_(around) {}

    Steps run(const Packet& packet, std::uint8_t table) {
        waiting_.push_back({packet, table, Step::kStart});
        while (!waiting_.empty() && !failed_) {
            auto next = std::move(waiting_.front());
            waiting_.pop_front();
            packet_ = std::move(next.packet);
            last_ = next.previous;
            resubmits_ = 0; // a recirculated packet is translated anew
            visit(next.table);
        }
        return std::move(steps_);
    }

  private:
    struct Waiting {
        Packet packet;
        std::uint8_t table = 0;
        std::size_t previous = Step::kStart;
    };

    template <class What>
    void step(What what) {
        steps_.push_back({last_, std::move(what), packet_});
        last_ = steps_.size() - 1;
    }

    void visit(std::uint8_t table) {
        const auto from = std::exchange(table_, table);
        const auto* flow = tables_.find(table, packet_);
        step(Visited{table, flow});
        if (flow != nullptr)
            for (const auto& action : flow->actions)
                if (!act(action)) break;
        table_ = from;
    }

    /// By resubmit or goto_table. Only the way back is one deeper (xlate_table_action).
    void go(std::uint8_t table) {
        if (!may_go_deeper()) return;
        ++resubmits_;
        const unsigned deeper = table <= table_ ? 1 : 0;
        depth_ += deeper;
        visit(table);
        depth_ -= deeper;
    }

    bool may_go_deeper() {
        if (depth_ < kMaxDepth && resubmits_ < kMaxResubmits) return true;
        failed_ = true;
        step(TooDeep{});
        return false;
    }

    bool act(const Action& action) {
        return std::visit([this](const auto& a) { return one(a); }, action.value) && !failed_;
    }

    // Each returns false where the list of actions ends.

    bool one(const Output& output) {
        const auto in_port = static_cast<std::uint32_t>(packet_.get(Field::in_port));
        if (output.port == ofport::kInPort)
            step(Sent{in_port});
        else if (output.port == in_port)
            step(NotSentBack{output.port});
        else
            step(Sent{output.port});
        return true;
    }

    bool one(const Group& group) {
        if (!may_go_deeper()) return false;
        const auto* entry = tables_.group(group.id);
        if (entry == nullptr) {
            step(NoGroup{group.id});
            return false;
        }
        // What a bucket does to the packet is over at its end (xlate_group_bucket).
        const auto before = packet_;
        const auto from = last_;
        if (entry->type == GroupType::all) {
            for (const auto& bucket : entry->buckets) {
                execute(*entry, &bucket);
                packet_ = before;
                last_ = from;
            }
        } else {
            execute(*entry, choose(*entry));
            packet_ = before;
            last_ = from;
        }
        return true;
    }

    void execute(const GroupEntry& group, const Bucket* bucket) {
        step(Grouped{&group, bucket});
        if (bucket == nullptr) return;
        ++depth_;
        for (const auto* action : in_order(bucket->actions))
            if (!act(*action)) break;
        --depth_;
    }

    const Bucket* choose(const GroupEntry& group) const {
        if (group.buckets.empty()) return nullptr;
        if (group.type == GroupType::select) {
            const auto chosen = around_.select ? around_.select(group) : 0;
            return &group.buckets[std::min(chosen, group.buckets.size() - 1)];
        }
        if (group.type != GroupType::fast_failover) return &group.buckets.front();
        const auto live = std::ranges::find_if(group.buckets, [this](const Bucket& bucket) {
            return !bucket.watch_port || !around_.live || around_.live(*bucket.watch_port);
        });
        return live == group.buckets.end() ? nullptr : &*live;
    }

    bool one(const SetField& set) {
        packet_.set(set.field, set.value, set.mask);
        return true;
    }

    bool one(const Move& move) {
        const auto mask = (Bits{1} << (move.bits - 1) << 1) - 1;
        packet_.set(move.target, (packet_.get(move.source) >> move.source_bit & mask) << move.target_bit,
                    mask << move.target_bit);
        return true;
    }

    bool one(const PushVlan&) {
        packet_.set(Field::vlan_tci, 0x1000);
        return true;
    }
    bool one(const PopVlan&) {
        packet_.set(Field::vlan_tci, 0);
        return true;
    }

    bool one(const Resubmit& resubmit) {
        go(resubmit.table);
        return true;
    }
    bool one(const GotoTable& to) {
        go(to.table);
        return false;
    }

    bool one(const DecTtl&) {
        const auto ttl = packet_.get(Field::ip_ttl);
        if (ttl > 1) {
            packet_.set(Field::ip_ttl, ttl - 1);
            return true;
        }
        step(TtlExpired{});
        return false;
    }

    bool one(const CtClear&) {
        forget_connection(packet_);
        return true;
    }

    bool one(const Ct& ct) {
        const auto* number = std::get_if<std::uint16_t>(&ct.zone);
        const auto zone =
            number != nullptr ? *number : static_cast<std::uint16_t>(packet_.get(std::get<Field>(ct.zone)) & 0xffff);
        around_.tracker->track(ct, zone, packet_);
        step(Tracked{&ct, zone});
        if (ct.table) waiting_.push_back({packet_, *ct.table, last_});
        // What was found out is known behind `table` only (ovs-actions(7), ct); what was translated stays so.
        forget_connection(packet_);
        return true;
    }

    bool one(const CheckPktLarger& check) {
        packet_.set(check.target, packet_.length > check.length ? Bits{1} << check.bit : 0, Bits{1} << check.bit);
        return true;
    }

    bool one(const Controller& controller) {
        step(Punted{&controller});
        return true;
    }

    // These let every packet by, as far as a single one is concerned.
    bool one(const Meter&) { return true; }
    bool one(const SetQueue&) { return true; }
    bool one(const Conjunction&) { return true; }

    const Tables& tables_;
    const Surroundings& around_;
    std::deque<Waiting> waiting_; ///< recirculated: each begins when all before it has ended
    Steps steps_;
    Packet packet_;
    std::size_t last_ = Step::kStart;
    std::uint8_t table_ = 0; ///< whose flow is executed
    unsigned depth_ = 0;
    unsigned resubmits_ = 0;
    bool failed_ = false;
};

} // namespace

Tables::Tables(std::span<const Flow> flows, std::span<const GroupEntry> groups) {
    for (const auto& flow : flows)
        if (flow.foreign.empty()) tables_[flow.table].add(flow);
    for (auto& table : tables_)
        table.finish();
    for (const auto& group : groups)
        if (group.foreign.empty()) groups_.emplace(group.id, &group);
}

const Flow* Tables::find(std::uint8_t table, const Packet& packet) const {
    return tables_[table].find(packet);
}

const GroupEntry* Tables::group(std::uint32_t id) const {
    const auto found = groups_.find(id);
    return found == groups_.end() ? nullptr : found->second;
}

Steps evaluate(const Tables& tables, const Packet& packet, std::uint8_t table, const Surroundings& surroundings) {
    return Evaluation(tables, surroundings).run(packet, table);
}

std::vector<std::size_t> way_to(const Steps& steps, std::size_t last) {
    std::vector<std::size_t> way;
    for (auto at = last; at != Step::kStart; at = steps[at].previous)
        way.push_back(at);
    std::ranges::reverse(way);
    return way;
}

} // namespace weft::openflow
