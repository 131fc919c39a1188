#include "fabric/reachability.hpp"

#include "fabric/compile.hpp"
#include "fabric/outcome.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

namespace weft::fabric {
namespace {

using Ranges = std::vector<topology::PortRange>;

constexpr std::uint16_t kLastPort = 65535;

/// The switches of a world, compiled when they are asked first.
class Compiled : public Switches {
  public:
    Compiled(const World& world, const Live& live) : world_(world), live_(live) {}

    const of::Tables* tables(const std::string& host) override {
        auto& held = held_[host];
        if (!held.tables) {
            held.state = compile(world_, host);
            held.tables = std::make_unique<of::Tables>(held.state.flows, held.state.groups);
        }
        return held.tables.get();
    }
    bool live(const std::string& host, std::uint32_t ofport) override { return live_(host, ofport); }

  private:
    struct Held {
        SwitchState state;
        std::unique_ptr<of::Tables> tables; ///< refers to it
    };
    const World& world_;
    const Live& live_;
    std::map<std::string, Held> held_;
};

struct Service {
    std::string name;
    std::uint8_t protocol = 0;
    bool has_ports = false;
};
const std::array kServices{Service{"icmp", of::ip_proto::kIcmp, false}, Service{"tcp", of::ip_proto::kTcp, true},
                           Service{"udp", of::ip_proto::kUdp, true}, Service{"sctp", of::ip_proto::kSctp, true}};

/// What rules and entries tell apart: prefixes of remotes, and the first port of each range and of what follows it.
struct Distinctions {
    std::set<Prefix> prefixes;
    std::map<std::uint8_t, std::set<std::uint16_t>> ports; ///< by protocol

    void add(const topology::Topology& topology) {
        for (const auto& [_, group] : topology.security_groups)
            for (const auto& rule : group.rules)
                add(rule.protocol, rule.ports, rule.remote);
        for (const auto& [_, network] : topology.networks)
            for (const auto& entry : network.acl)
                add(entry.protocol, entry.ports, entry.remote);
        for (const auto& [_, router] : topology.routers)
            for (const auto& route : router.routes)
                prefixes.insert(route.prefix);
        for (const auto& [_, port] : topology.ports)
            prefixes.insert(port.allowed_addresses.begin(), port.allowed_addresses.end());
        for (const auto& [_, network] : topology.networks)
            for (const auto& subnet : {network.subnet, network.subnet6})
                if (subnet) prefixes.insert(*subnet);
    }

  private:
    void add(const topology::Protocol& protocol, const Ranges& ranges, const std::optional<Prefix>& remote) {
        if (remote) prefixes.insert(*remote);
        if (!protocol.has_ports()) return;
        for (const auto& range : ranges) {
            ports[protocol.number].insert(range.first);
            if (range.last != kLastPort) ports[protocol.number].insert(static_cast<std::uint16_t>(range.last + 1));
        }
    }
};

/// All that flows can tell of a port, beside who it is.
std::string signature(const World& world, const std::string& port, const Distinctions& known) {
    std::string text;
    for (const auto& [name, network] : world.networks) {
        const auto found = network->bound.find(port);
        if (found == network->bound.end()) continue;
        const auto& attachment = *found->second;
        const auto host = world.hosts.find(attachment.binding.host);
        const auto* facts = host == world.hosts.end() ? nullptr : &host->second->facts;
        std::vector<std::string> groups;
        for (const auto& group : attachment.groups)
            groups.push_back(group->name);
        std::vector<std::string> inside;
        for (const auto& ip : attachment.ips)
            for (const auto& prefix : known.prefixes)
                if (prefix.contains(ip)) inside.push_back(prefix.to_string());
        const bool local = network->core.kind == topology::NetworkKind::local;
        text += fmt::format("{} {} {} {} {} {} {} {} {};", name, attachment.vlan.value_or(0), attachment.port_security,
                            fmt::join(groups, ","), fmt::join(inside, ","), attachment.ips.size(),
                            attachment.binding.ofport != 0, local ? attachment.binding.host : "",
                            facts == nullptr ? "-"
                                             : fmt::format("{}{}{}{}", facts->vxlan_ofport != 0, facts->nd_ext,
                                                           facts->vtep.has_value(), facts->uplinks.size()));
    }
    return text;
}

/// The host of a port, or nothing where it is not plugged in.
const std::string* host_of(const World& world, const std::string& port) {
    for (const auto& [_, network] : world.networks)
        if (const auto found = network->bound.find(port); found != network->bound.end())
            return &found->second->binding.host;
    return nullptr;
}

/// Which of a pair's services work: of each the first port of every range that does.
using Works = std::set<std::pair<std::uint8_t, std::uint16_t>>;

class Side {
  public:
    Side(const World& world, const Live& live, const Distinctions& known)
        : world_(world), known_(known), compiled_(world, live) {
        for (const auto& [name, _] : world.topology->ports)
            if (const auto* host = host_of(world, name))
                ports_.emplace(name, Port{*host, signature(world, name, known)});
    }

    struct Port {
        std::string host, signature;
    };
    const Port* port(const std::string& name) const {
        const auto found = ports_.find(name);
        return found == ports_.end() ? nullptr : &found->second;
    }

    const Works& works(const std::string& from, const std::string& to) {
        const auto& source = ports_.at(from);
        const auto& target = ports_.at(to);
        const auto key = std::tuple(source.signature, target.signature, source.host == target.host);
        const auto known = works_.find(key);
        if (known != works_.end()) return known->second;
        Works works;
        for (const auto& service : kServices)
            for (const auto port : firsts(service))
                if (works_at(from, to, service.protocol, port)) works.insert({service.protocol, port});
        return works_.emplace(key, std::move(works)).first->second;
    }

    std::set<std::uint16_t> firsts(const Service& service) const {
        if (!service.has_ports) return {0};
        std::set<std::uint16_t> firsts{1};
        if (const auto found = known_.ports.find(service.protocol); found != known_.ports.end())
            firsts.insert(found->second.begin(), found->second.end());
        return firsts;
    }

  private:
    bool works_at(const std::string& from, const std::string& to, std::uint8_t protocol, std::uint16_t port) {
        const auto asked = probe(world_, {.from = from, .to = to, .protocol = protocol, .target_port = port});
        if (!asked) return false;
        Connections connections;
        const auto there = walk(world_, compiled_, connections, asked->entrance, asked->packet);
        const auto arrived = outcome(there, *asked);
        if (arrived.verdict != Outcome::Verdict::delivered || arrived.answered) return false;
        const auto& packet = there.step({arrived.end->passage, arrived.end->step}).packet;
        const auto answer = answer_probe(world_, *asked, *arrived.end, packet);
        const auto back = walk(world_, compiled_, connections, answer.entrance, answer.packet);
        return outcome(back, answer).verdict == Outcome::Verdict::delivered;
    }

    const World& world_;
    const Distinctions& known_;
    Compiled compiled_;
    std::map<std::string, Port> ports_;
    std::map<std::tuple<std::string, std::string, bool>, Works> works_;
};

/// Where `a` works and `b` does not, as changes of one pair.
void add_changes(const Side& side, const Works& a, const Works& b, ReachChange change,
                 std::vector<ReachChange>& changes) {
    std::vector<ReachChange> found;
    bool all = true;
    for (const auto& service : kServices) {
        const auto firsts = side.firsts(service);
        auto one = change;
        one.protocol = service.name;
        for (auto first = firsts.begin(); first != firsts.end(); ++first) {
            const std::pair at{service.protocol, *first};
            if (!a.contains(at) || b.contains(at)) {
                all = false;
                continue;
            }
            const auto next = std::next(first);
            const auto last = next == firsts.end() ? kLastPort : static_cast<std::uint16_t>(*next - 1);
            if (!one.ports.empty() && one.ports.back().last + 1 == *first)
                one.ports.back().last = last;
            else
                one.ports.push_back({*first, last});
        }
        if (one.ports.empty()) continue;
        if (!service.has_ports) one.ports.clear();
        found.push_back(std::move(one));
    }
    if (all && !found.empty()) {
        change.protocol = "any";
        found = {std::move(change)};
    }
    changes.insert(changes.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
}

/// Nothing that flows on the two hosts say has changed, nor where gateways are.
bool untouched(const World& before, const World& after, const std::string& from, const std::string& to) {
    for (const auto& host : {from, to}) {
        const auto was = before.hosts.find(host);
        const auto is = after.hosts.find(host);
        if (was == before.hosts.end() || is == after.hosts.end() || was->second != is->second) return false;
    }
    return before.gateways == after.gateways;
}

} // namespace

ReachDifference reach_difference(const World& before, const World& after, const Live& live, std::size_t limit) {
    Distinctions known;
    known.add(*before.topology);
    known.add(*after.topology);
    Side was(before, live, known);
    Side is(after, live, known);
    std::set<std::string> names;
    for (const auto* world : {&before, &after})
        for (const auto& [name, _] : world->topology->ports)
            if (was.port(name) != nullptr || is.port(name) != nullptr) names.insert(name);
    ReachDifference difference;
    static const Works kNone;
    for (const auto& from : names)
        for (const auto& to : names) {
            if (from == to) continue;
            const bool could = was.port(from) != nullptr && was.port(to) != nullptr;
            const bool can = is.port(from) != nullptr && is.port(to) != nullptr;
            if (!could && !can) continue;
            if (could && can && untouched(before, after, was.port(from)->host, was.port(to)->host)) continue;
            const auto& then = could ? was.works(from, to) : kNone;
            const auto& now = can ? is.works(from, to) : kNone;
            if (then == now) continue;
            if (difference.changes.size() >= limit) {
                ++difference.left_out;
                continue;
            }
            add_changes(was, then, now, {.gained = false, .from = from, .to = to, .protocol = {}}, difference.changes);
            add_changes(is, now, then, {.gained = true, .from = from, .to = to, .protocol = {}}, difference.changes);
        }
    return difference;
}

} // namespace weft::fabric
