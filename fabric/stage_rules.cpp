// egress_rules and ingress_rules: the rules of a group, once for all its ports on the host. They match the packet that
// began the connection (ovs-fields(7), ct_nw_src and following), so they say the same of all its packets. A rule with
// many addresses and many ports is a conjunction: its flow with conj_id counts, and carries the rule's cookie.
#include "fabric/stages.hpp"
#include "nat/ports.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace weft::fabric {
namespace {

using topology::Direction;
using topology::Family;

enum Priority : std::uint16_t { kClause = 100, kRule = 200 };

/// One address that a rule allows, with its zone where that decides who has it.
struct Remote {
    Prefix prefix;
    std::optional<std::uint16_t> zone;
};

class Rules {
  public:
    Rules(Emit& emit, const HostGroup& here) : emit_(emit), here_(here), group_(*here.group) {}

    void rule(const GroupRule& rule) {
        rule_ = &rule;
        ports_ = nat::port_blocks(rule.rule.ports);
        for (const auto family : {Family::ipv4, Family::ipv6})
            if (is_of(rule.rule, family)) allow(family);
    }

    /// Flows of clauses are shared by the rules that have the clause.
    void clauses() {
        for (auto& [key, conjunctions] : clauses_)
            emit_.flow(key.stage, kClause, owner(), key.match, std::move(conjunctions));
    }

  private:
    struct Key {
        Stage stage;
        of::Match match;
        bool operator<(const Key& other) const {
            if (stage != other.stage) return stage < other.stage;
            return std::ranges::lexicographical_compare(match.fields(), other.match.fields(), {}, as_tuple, as_tuple);
        }
        static std::tuple<of::Field, of::Bits, of::Bits> as_tuple(const of::FieldMatch& field) {
            return {field.field, field.value, field.mask};
        }
    };

    static bool is_of(const topology::SecurityRule& rule, Family family) {
        if (rule.family != Family::any && rule.family != family) return false;
        return !rule.remote || rule.remote->address.is_v6() == (family == Family::ipv6);
    }

    Owner owner() const { return {Kind::security_group, group_.id, {}}; }
    Stage stage() const {
        return rule_->rule.direction == Direction::egress ? Stage::egress_rules : Stage::ingress_rules;
    }

    /// Nothing: anybody.
    std::optional<std::vector<Remote>> remotes(Family family) const {
        const auto& rule = rule_->rule;
        if (rule.remote) return std::vector<Remote>{{*rule.remote, {}}};
        if (rule.remote_group.empty()) return std::nullopt;
        std::vector<Remote> result;
        for (const auto& [key, members] : here_.remotes) {
            if (key.first != rule.remote_group) continue;
            for (const auto& prefix : members->addresses)
                if (prefix.address.is_v6() == (family == Family::ipv6)) result.push_back({prefix, key.second});
        }
        return result;
    }

    void allow(Family family) {
        const auto from = remotes(family);
        const std::size_t addresses = from ? from->size() : 1;
        const std::size_t ports = ports_.empty() ? 1 : ports_.size();
        if (addresses == 0) return;
        if (addresses * ports > addresses + ports + 1) return conjunction(family, *from);
        const auto each_port = [&](const of::Match& match) {
            if (ports_.empty()) return direct(match);
            for (const auto& [value, mask] : ports_)
                direct(of::Match(match).set(of::Field::ct_tp_dst, value, mask));
        };
        if (!from) return each_port(base(family));
        for (const auto& remote : *from)
            each_port(at(family, remote));
    }

    void conjunction(Family family, const std::vector<Remote>& from) {
        const auto id = conjunction_id();
        for (const auto& remote : from)
            clause(at(family, remote), {id, 1, 2});
        for (const auto& [value, mask] : ports_)
            clause(base(family).set(of::Field::ct_tp_dst, value, mask), {id, 2, 2});
        direct(with(of::Match().set(kGroup, group_.number), Verdict::asked).set(of::Field::conj_id, id));
    }

    /// Of the rules of a group the ids differ; another group's flows match another group.
    std::uint32_t conjunction_id() {
        auto id = static_cast<std::uint32_t>(rule_->id.value) | 1;
        for (auto taken = taken_.find(id); taken != taken_.end() && taken->second != rule_; taken = taken_.find(id))
            id += 2;
        taken_.emplace(id, rule_);
        return id;
    }

    of::Match base(Family family) const {
        auto match = with(of::Match().set(kGroup, group_.number), Verdict::asked);
        family == Family::ipv4 ? match.ipv4() : match.ipv6();
        const auto& protocol = rule_->rule.protocol;
        if (protocol.kind == topology::Protocol::Class::any) return match;
        const auto icmp = family == Family::ipv4 ? of::ip_proto::kIcmp : of::ip_proto::kIcmpv6;
        const auto number = protocol.kind == topology::Protocol::Class::icmp ? icmp : protocol.number;
        return std::move(tracked(match).set(of::Field::ct_nw_proto, number));
    }

    of::Match at(Family family, const Remote& remote) const {
        const bool source = rule_->rule.direction == Direction::ingress;
        const auto v4 = source ? of::Field::ct_nw_src : of::Field::ct_nw_dst;
        const auto v6 = source ? of::Field::ct_ipv6_src : of::Field::ct_ipv6_dst;
        auto match = base(family);
        if (remote.zone) match = with(std::move(match), Verdict::asked, *remote.zone);
        if (remote.prefix.length > 0)
            tracked(match).set(family == Family::ipv4 ? v4 : v6, of::bits(remote.prefix.network()),
                               of::bits(remote.prefix.netmask()));
        return match;
    }

    /// What the fields of the connection's first packet ask for.
    static of::Match& tracked(of::Match& match) {
        return match.set(of::Field::ct_state, of::ct::kTrk, of::ct::kTrk | of::ct::kInv);
    }

    void direct(of::Match match) {
        // Two rules may allow the same: the first counts.
        if (!direct_.insert({stage(), match}).second) return;
        emit_.flow(stage(), kRule, {Kind::security_rule, rule_->id, {}}, std::move(match), {load(Verdict::allowed)});
    }

    void clause(of::Match match, of::Conjunction conjunction) {
        auto& shared = clauses_[{stage(), std::move(match)}];
        if (std::ranges::find(shared, of::Action(conjunction)) == shared.end()) shared.emplace_back(conjunction);
    }

    Emit& emit_;
    const HostGroup& here_;
    const GroupView& group_;
    const GroupRule* rule_ = nullptr;
    std::vector<nat::PortBlock> ports_;
    std::set<Key> direct_;
    std::map<Key, of::Actions> clauses_; ///< by match: conjunctions that it is part of
    std::map<std::uint32_t, const GroupRule*> taken_;
};

} // namespace

void rules_group(Emit& emit, const HostGroup& group) {
    Rules rules(emit, group);
    for (const auto& rule : group.group->rules)
        rules.rule(rule);
    rules.clauses();
}

} // namespace weft::fabric
