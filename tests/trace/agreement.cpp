#include "tests/trace/agreement.hpp"

#include "openflow/codec.hpp"
#include "tests/trace/packet_text.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::openflow {
namespace {

/// What ofproto-dpif-trace.c does at a recirculation: ct_state is the one it was told, the zone the action's; the mark
/// and the original tuple stay what they were, but for exec; of NAT the first address and port are taken.
class TracesTracker : public Tracker {
  public:
    explicit TracesTracker(const Trace& trace) : trace_(trace) {}

    void track(const Ct& action, std::uint16_t zone, Packet& packet) override {
        if (!action.table) return; // nothing sees it
        packet.set(Field::ct_state, ++pass_ < trace_.passes.size() ? trace_.passes[pass_].ct_state : Bits{0});
        packet.set(Field::ct_zone, zone);
        for (const auto& set : action.exec)
            packet.set(set.field, set.value, set.mask);
        if (action.nat && action.nat->kind != Nat::Kind::restore) translate(*action.nat, packet);
    }

  private:
    static void translate(const Nat& nat, Packet& packet) {
        const bool target = nat.kind == Nat::Kind::target;
        const auto address = nat.first->is_v4() ? (target ? Field::ip_dst : Field::ip_src)
                                                : (target ? Field::ipv6_dst : Field::ipv6_src);
        packet.set(address, bits(*nat.first));
        // Of others a trace keeps a port too, which nothing can match.
        const auto protocol = packet.get(Field::ip_proto);
        const bool has_ports = protocol == ip_proto::kTcp || protocol == ip_proto::kUdp ||
                               protocol == ip_proto::kSctp || protocol == ip_proto::kIcmp;
        if (nat.port_first != 0 && has_ports && packet.get(Field::ip_frag) != 3)
            packet.set(port_field(protocol, target), nat.port_first);
    }

    const Trace& trace_;
    std::size_t pass_ = 0;
};

/// The fields of a frame; its VLAN header is one.
constexpr std::array kFrame{
    Field::eth_dst,     Field::eth_src,     Field::eth_type,   Field::vlan_tci,  Field::ip_src,  Field::ip_dst,
    Field::ipv6_src,    Field::ipv6_dst,    Field::ipv6_label, Field::ip_proto,  Field::ip_dscp, Field::ip_ecn,
    Field::ip_ttl,      Field::ip_frag,     Field::arp_op,     Field::arp_spa,   Field::arp_tpa, Field::arp_sha,
    Field::arp_tha,     Field::tcp_src,     Field::tcp_dst,    Field::udp_src,   Field::udp_dst, Field::sctp_src,
    Field::sctp_dst,    Field::icmp_type,   Field::icmp_code,  Field::nd_target, Field::nd_sll,  Field::nd_tll,
    Field::icmpv6_type, Field::icmpv6_code,
};
/// What a pass begins with beside. Not tun_id: "Flow:" shows it only of packets with a key's flag, which text cannot
/// set.
constexpr std::array kMetadata{Field::in_port,  Field::metadata, Field::tun_src, Field::tun_dst,
                               Field::xxreg0,   Field::xxreg1,   Field::xxreg2,  Field::xxreg3,
                               Field::ct_state, Field::ct_zone,  Field::ct_mark};
constexpr std::array kTuple{Field::ct_nw_src,   Field::ct_nw_dst, Field::ct_nw_proto, Field::ct_ipv6_src,
                            Field::ct_ipv6_dst, Field::ct_tp_src, Field::ct_tp_dst};

std::string differing(std::span<const Field> fields, const Packet& ours, const Packet& theirs) {
    std::string text;
    for (const auto field : fields)
        if (const auto one = ours.get(field), other = theirs.get(field); one != other)
            text += fmt::format(" {}: 0x{:x}{:016x} and 0x{:x}{:016x}", name_of(field),
                                static_cast<std::uint64_t>(one >> 64), static_cast<std::uint64_t>(one),
                                static_cast<std::uint64_t>(other >> 64), static_cast<std::uint64_t>(other));
    return text;
}

/// The flow whose action it is; a step's nearest flow may be one that a resubmit came back from.
std::uint64_t cookie_of(const Steps& steps, std::size_t step, const Controller* action) {
    for (auto at = step; at != Step::kStart; at = steps[at].previous)
        if (const auto* visited = std::get_if<Visited>(&steps[at].what); visited != nullptr && visited->flow != nullptr)
            for (const auto& candidate : visited->flow->actions)
                if (std::get_if<Controller>(&candidate.value) == action) return visited->flow->cookie;
    return 0;
}

std::string to_string(const Out& out) {
    switch (out.kind) {
    case Out::Kind::punted:
        return fmt::format("punt by 0x{:x}", out.cookie);
    case Out::Kind::expired:
        return "TTL expired";
    case Out::Kind::sent:
        break;
    }
    return fmt::format("to port {}: {}", out.port, trace_text(out.packet));
}

std::string compare_outputs(const Out& ours, const Out& theirs) {
    const auto both = fmt::format("\nevaluate: {}\nswitch:   {}\n", to_string(ours), to_string(theirs));
    if (ours.kind != theirs.kind || ours.port != theirs.port) return both;
    if (ours.kind == Out::Kind::punted && ours.cookie != theirs.cookie) return both;
    if (ours.kind != Out::Kind::sent) return {};
    auto differences = differing(kFrame, ours.packet, theirs.packet);
    constexpr std::array kTunnel{Field::tun_id, Field::tun_dst};
    if (ours.port == TracedSwitch::kVxlan) differences += differing(kTunnel, ours.packet, theirs.packet);
    return differences.empty() ? "" : both + differences;
}

/// What a pass begins with.
std::string compare_packets(const Packet& ours, const Packet& theirs) {
    // "Flow:" does not show what an invalid packet's connection was.
    const bool invalid = (theirs.get(Field::ct_state) & ct::kInv) != 0;
    return differing(kFrame, ours, theirs) + differing(kMetadata, ours, theirs) +
           (invalid ? "" : differing(kTuple, ours, theirs));
}

/// The first place where two lists are not alike, by a comparison that says how.
template <class T>
std::string compare_lists(std::string_view what, const std::vector<T>& ours, const std::vector<T>& theirs, auto alike) {
    for (std::size_t i = 0; i < std::max(ours.size(), theirs.size()); ++i) {
        if (i >= ours.size() || i >= theirs.size())
            return fmt::format("{} {}: {} of evaluate's, {} of the switch's", what, i, ours.size(), theirs.size());
        if (auto how = alike(ours[i], theirs[i]); !how.empty()) return fmt::format("{} {}: {}", what, i, how);
    }
    return {};
}

} // namespace

const std::string& Agreement::text_of(const Match& match) {
    const auto [at, is_new] = texts_.try_emplace(&match);
    if (is_new) at->second = openflow::to_string(match);
    return at->second;
}

Agreement::Said Agreement::by_evaluate() {
    Said said;
    for (std::size_t at = 0; at < steps_.size(); ++at) {
        const auto& step = steps_[at];
        if (const auto* visited = std::get_if<Visited>(&step.what)) {
            said.events.push_back(event_of(*visited));
            said.at.push_back(&step);
        } else if (const auto* grouped = std::get_if<Grouped>(&step.what)) {
            said.events.push_back({.kind = Event::Kind::no_bucket, .match = {}});
            said.at.push_back(&step);
            if (grouped->bucket != nullptr)
                said.events.back() = {.kind = Event::Kind::bucket,
                                      .match = {},
                                      .bucket =
                                          static_cast<std::size_t>(grouped->bucket - grouped->group->buckets.data())};
        } else if (const auto* sent = std::get_if<Sent>(&step.what)) {
            said.outputs.push_back({.port = sent->port, .packet = step.packet});
        } else if (const auto* punted = std::get_if<Punted>(&step.what)) {
            said.outputs.push_back(
                {.kind = Out::Kind::punted, .cookie = cookie_of(steps_, at, punted->action), .packet = step.packet});
        } else if (std::holds_alternative<TtlExpired>(step.what)) {
            said.outputs.push_back({.kind = Out::Kind::expired, .packet = step.packet});
        } else if (const auto* tracked = std::get_if<Tracked>(&step.what);
                   tracked != nullptr && tracked->action->table) {
            said.resumed.push_back(step.packet);
        }
        said.failed |= std::holds_alternative<TooDeep>(step.what);
    }
    return said;
}

Event Agreement::event_of(const Visited& visited) {
    if (visited.flow == nullptr) return {.kind = Event::Kind::miss, .table = visited.table, .match = {}};
    const auto& flow = *visited.flow;
    met_.insert(&flow);
    return {.table = flow.table, .priority = flow.priority, .cookie = flow.cookie, .match = text_of(flow.match)};
}

Agreement::Said Agreement::by_switch(bool whole) const {
    Said said;
    for (const auto& pass : trace_.passes) {
        said.events.insert(said.events.end(), pass.events.begin(), pass.events.end());
        said.outputs.insert(said.outputs.end(), pass.outputs.begin(), pass.outputs.end());
        if (&pass != &trace_.passes.front()) said.resumed.push_back(pass.begins);
        said.failed |= pass.failed;
        if (!whole) break;
    }
    return said;
}

/// Of two flows of one priority that match, a switch may take either. That one, if it did so here.
const Flow* Agreement::taken_instead(const Event& theirs, const Step& ours) {
    const auto* visited = std::get_if<Visited>(&ours.what);
    if (visited == nullptr || visited->flow == nullptr) return nullptr;
    const auto& flows = ovs_.state().flows;
    const auto found = std::ranges::find_if(flows, [&](const Flow& flow) {
        return flow.table == theirs.table && flow.priority == theirs.priority && flow.cookie == theirs.cookie &&
               flow.table == visited->table && flow.priority == visited->flow->priority &&
               ours.packet.matches(flow.match) && text_of(flow.match) == theirs.match;
    });
    return found == flows.end() ? nullptr : &*found;
}

std::string Agreement::compare(bool whole) {
    bool parted = false;
    auto ours = by_evaluate();
    const auto theirs = by_switch(whole);
    if (!whole) {
        ours.events.resize(std::min(ours.events.size(), theirs.events.size()));
        ours.outputs.resize(std::min(ours.outputs.size(), theirs.outputs.size()));
        ours.resumed.clear();
    }
    if (ours.failed != theirs.failed)
        return ours.failed ? "too deep only for evaluate" : "too deep only for the switch";
    if (ours.failed) ours.outputs.clear(); // dropped: what evaluate's steps say before is not sent
    const auto same_event = [&](const Event& one, const Event& other) -> std::string {
        if (one == other || parted) return {};
        const auto& step = *ours.at[static_cast<std::size_t>(&one - ours.events.data())];
        if (const auto* flow = taken_instead(other, step); flow != nullptr) {
            // Harmless where both do the same. Where they do not, all that follows is open.
            const auto* own = std::get<Visited>(step.what).flow;
            if (own->actions == flow->actions) return {};
            parted = true;
            if (whole) ambiguous_.insert(one.to_string() + "\n" + other.to_string());
            return {};
        }
        return fmt::format("\nevaluate: {}\nswitch:   {}\n", one.to_string(), other.to_string());
    };
    if (auto how = compare_lists("flow", ours.events, theirs.events, same_event); !how.empty() || parted)
        return parted ? "" : how;
    if (auto how = compare_lists("recirculation", ours.resumed, theirs.resumed, compare_packets); !how.empty())
        return how;
    return compare_lists("output", ours.outputs, theirs.outputs, compare_outputs);
}

std::string Agreement::difference(const Question& question) {
    try {
        trace_ = ovs_.trace(question.packet, question.states, question.table);
    } catch (const std::exception& wrong) { // the question, or what parse_trace() does not know
        return fmt::format("{}\npacket: {}, table {}", wrong.what(), trace_text(question.packet), question.table);
    }
    TracesTracker tracker(trace_);
    auto chosen = trace_.chosen;
    const Surroundings around{.tracker = &tracker,
                              .live = [this](std::uint32_t port) { return ovs_.live(port); },
                              .select =
                                  [&chosen](const GroupEntry& group) {
                                      auto& buckets = chosen[group.id];
                                      if (buckets.empty()) return std::size_t{0};
                                      const auto first = buckets.front();
                                      buckets.erase(buckets.begin());
                                      return first;
                                  }};
    steps_ = evaluate(tables_, question.packet, question.table, around);
    const auto how = compare(question.table == 0);
    if (how.empty()) return {};
    std::string states;
    for (const auto state : question.states)
        states += " " + ct_state_text(state);
    return fmt::format("{}\npacket: {}, {} bytes\nct states:{}\nenters at table {}\n{}", how,
                       trace_text(question.packet), question.packet.length, states, question.table, trace_.text);
}

} // namespace weft::openflow
