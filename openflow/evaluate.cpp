#include "openflow/evaluate.hpp"

#include <algorithm>
#include <deque>

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
            visit(next.table, 0);
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

    void visit(std::uint8_t table, unsigned depth) {
        if (depth > kMaxDepth || resubmits_ > kMaxResubmits) {
            failed_ = true;
            return step(TooDeep{});
        }
        const auto* flow = tables_.find(table, packet_);
        step(Visited{table, flow});
        if (flow != nullptr) act(flow->actions, depth);
    }

    void act(const Actions& actions, unsigned depth) {
        depth_ = depth;
        for (const auto& action : actions) {
            const bool goes_on = std::visit([this](const auto& a) { return one(a); }, action.value);
            if (!goes_on || failed_) return;
            depth_ = depth;
        }
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
        const auto* entry = tables_.group(group.id);
        if (entry == nullptr) {
            step(NoGroup{group.id});
            return true;
        }
        // What a bucket does to the packet is over at its end (xlate_group_bucket).
        const auto before = packet_;
        const auto depth = depth_;
        if (entry->type == GroupType::all) {
            const auto from = last_;
            for (const auto& bucket : entry->buckets) {
                packet_ = before;
                last_ = from;
                execute(*entry, &bucket, depth);
            }
            last_ = from;
        } else {
            const auto* bucket = choose(*entry);
            const auto from = last_;
            execute(*entry, bucket, depth);
            last_ = from;
        }
        packet_ = before;
        return true;
    }

    void execute(const GroupEntry& group, const Bucket* bucket, unsigned depth) {
        step(Grouped{&group, bucket});
        if (bucket != nullptr) act(bucket->actions, depth);
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
        ++resubmits_;
        visit(resubmit.table, depth_ + 1);
        return true;
    }
    bool one(const GotoTable& go) {
        visit(go.table, depth_);
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
