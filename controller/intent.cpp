#include "controller/intent.hpp"

#include "controller/failpoint.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::controller {
namespace {

/// A kind of object that the topology may hold and that nothing acts on yet must not pass in silence.
std::vector<std::string> unserved(const topology::Topology& topology) {
    std::vector<std::string> notices;
    const auto note = [&](std::size_t count, std::string_view what, std::string_view effect) {
        if (count > 0) notices.push_back(fmt::format("{} {} not served yet: {}", count, what, effect));
    };
    note(topology.qos.size(), "[[qos]]", "rates are not limited");
    const auto count = [](const auto& objects, auto predicate) {
        return static_cast<std::size_t>(
            std::ranges::count_if(objects, [&](const auto& o) { return predicate(o.second); }));
    };
    note(count(topology.ports, [](const topology::Port& p) { return !p.vm.empty(); }), "port vm",
         "such ports are bound by iface-id or attached-mac alone");
    return notices;
}

topology::ObservedMacs observed_macs(const fabric::Judgement& judgement, const topology::Topology& topology) {
    topology::ObservedMacs macs;
    for (const auto& [port, judged] : judgement)
        if (judged.front().claim.attached_mac && !topology.ports.at(port).mac)
            macs.emplace(port, *judged.front().claim.attached_mac);
    return macs;
}

std::optional<Ip> address_of(const topology::Allocations& allocations, const topology::AttachmentKey& key) {
    const auto found = allocations.attachments.find(key);
    return found == allocations.attachments.end() ? std::nullopt : found->second.ip;
}

/// What an edge can be of.
std::set<std::string> physical_networks(const topology::Topology& topology) {
    std::set<std::string> networks;
    for (const auto& [name, network] : topology.networks)
        if (network.physical()) networks.insert(name);
    return networks;
}

void touch_networks_of(const std::string& port, const topology::Topology& topology, fabric::Touched& touched) {
    const auto found = topology.ports.find(port);
    if (found == topology.ports.end()) return;
    for (auto& network : fabric::networks_of(found->second))
        touched.networks.insert(std::move(network));
}

/// Ports whose value differs between two maps by port name.
template <class Map, class Then>
void for_each_difference(const Map& before, const Map& after, Then then) {
    for (const auto& [name, value] : after)
        if (const auto old = before.find(name); old == before.end() || old->second != value) then(name);
    for (const auto& [name, _] : before)
        if (!after.contains(name)) then(name);
}

} // namespace

bool Candidate::ok() const {
    return std::ranges::none_of(problems, [](const auto& p) { return p.severity == topology::Severity::error; });
}

Intent::Intent(const Settings& settings, Voice voice, Publish publish)
    : settings_(settings), voice_(voice), publish_(std::move(publish)) {}

Result<> Intent::restore(State state) {
    state_ = std::move(state);
    for (const auto& [port, host] : state_.holders)
        claims_.expect(port, host);
    const auto* revision = state_.find(state_.current);
    if (revision == nullptr) {
        commit(consider({}), state_);
        return {};
    }
    const auto candidate = consider(revision->sources);
    if (!candidate.ok()) {
        const auto& problem = candidate.problems.front();
        return fail(ErrorKind::invalid,
                    fmt::format("revision {} in the state directory is not valid for this weftd: {}: {}",
                                revision->number, problem.where.to_string(), problem.text));
    }
    commit(candidate, state_);
    return {};
}

Candidate Intent::consider(const std::vector<topology::Source>& sources) const {
    Candidate candidate;
    auto parsed = topology::parse(sources);
    candidate.problems = std::move(parsed.problems);
    apply_host_settings(settings_.hosts, parsed.topology);
    for (const auto& [name, port] : state_.dynamic_ports)
        parsed.topology.ports.emplace(name, port);
    const bool sound = candidate.ok();
    std::map<Ip, std::string> vteps; // of the settings too, which parse() has not seen
    for (const auto& [name, host] : parsed.topology.hosts) {
        const auto lacks = [&](std::string_view key) {
            candidate.problems.push_back({topology::Severity::error,
                                          host.origin,
                                          fmt::format("host {} has no {}", name, key),
                                          fmt::format("set it here or in weftd.toml under [host.{}]", name),
                                          {}});
        };
        if (host.ovsdb.empty())
            lacks("ovsdb");
        else if (const auto endpoint = Endpoint::parse(host.ovsdb); !endpoint)
            candidate.problems.push_back({topology::Severity::error,
                                          host.origin,
                                          fmt::format("host {}: {}", name, endpoint.error().text),
                                          "",
                                          {}});
        if (!host.vtep)
            lacks("vtep");
        else if (const auto [first, fresh] = vteps.emplace(*host.vtep, name); !fresh && sound)
            candidate.problems.push_back(
                {topology::Severity::error,
                 host.origin,
                 fmt::format("hosts {} and {} have the vtep {}", first->second, name, host.vtep->to_string()),
                 fmt::format("see [host.{}] and [host.{}] in weftd.toml", first->second, name),
                 {}});
        if (!host.datapath) lacks("datapath");
    }
    if (!candidate.ok()) return candidate;
    auto allocated = topology::allocate(parsed.topology, state_.allocations, macs_);
    candidate.allocations = std::move(allocated.allocations);
    for (auto& problem : allocated.problems)
        candidate.problems.push_back(std::move(problem));
    candidate.notices = unserved(parsed.topology);
    candidate.topology = std::make_shared<const topology::Topology>(std::move(parsed.topology));
    return candidate;
}

State Intent::with_revision(const Candidate& candidate, std::string source,
                            std::vector<topology::Source> sources) const {
    State state = state_;
    state.add_revision(std::move(source), std::move(sources), now());
    state.allocations = candidate.allocations;
    return state;
}

bool Intent::changes_nothing(const Candidate& candidate) const {
    return state_.current != 0 && *candidate.topology == *topology_;
}

void Intent::commit(const Candidate& candidate, State state) {
    state_ = std::move(state);
    state_.allocations = candidate.allocations;
    ++allocated_;
    for (const auto& [host, _] : topology_->hosts)
        if (!candidate.topology->hosts.contains(host)) {
            claims_.forget(host);
            facts_.erase(host);
            health_.reachable.erase(host);
            state_.learnt.dead_links.erase(host);
            health_.synced.erase(host);
            health_.lost.erase(host);
        }
    topology_ = candidate.topology;
    std::erase_if(state_.learnt.neighbours,
                  [this](const auto& known) { return !topology_->networks.contains(known.first.first); });
    for (auto* hosts : {&state_.learnt.absent, &state_.learnt.out_of_service})
        std::erase_if(*hosts, [this](const std::string& host) { return !topology_->hosts.contains(host); });
    drop_leases();
    failpoint("intent.committed");
    rebuild({.all = true, .networks = {}, .hosts = {}});
}

std::map<std::string, fabric::HostFacts> Intent::facts_under(const topology::Topology& topology) const {
    auto facts = facts_;
    for (const auto& [name, host] : topology.hosts)
        facts[name].vtep = host.vtep;
    return facts;
}

fabric::WorldPtr Intent::imagine(const Candidate& candidate) const {
    const auto facts = facts_under(*candidate.topology);
    const auto bindings = claims_.bindings(*candidate.topology);
    return fabric::build({candidate.topology, candidate.allocations, bindings, facts, state_.learnt}, published_.world,
                         {.all = true, .networks = {}, .hosts = {}});
}

void Intent::observe(const std::string& host, const fabric::Observation& seen) {
    fabric::Touched touched;
    const auto known = facts_.find(host);
    if (known == facts_.end() || known->second != seen.facts) {
        facts_[host] = seen.facts;
        touched.hosts.insert(host);
    }
    health_.lost.erase(host);
    health_.reachable[host] = seen.reachable;
    const bool relinked = note_dead_links(host, seen.dead_links);
    if (relinked) touched.networks = physical_networks(*topology_);
    const bool judged = judge_services();
    if (!claims_.observe(host, seen.claims) && touched.hosts.empty() && !judged && !relinked) {
        if (look_at_gateways()) publish_(published_);
        return;
    }
    rebuild(std::move(touched));
}

void Intent::lose(const std::string& host) {
    health_.reachable.erase(host);
    health_.lost.insert(host);
    note_synced(host, false);
    if (look_at_gateways()) publish_(published_);
}

void Intent::note_synced(const std::string& host, bool synced) {
    const bool news = synced ? health_.synced.insert(host).second : health_.synced.erase(host) > 0;
    if (news && judge_services()) rebuild({});
}

bool Intent::may_hear(const std::string& network, const Ip& ip) const {
    const auto view = published_.world->networks.find(network);
    if (view == published_.world->networks.end() || !view->second->core.contains(ip)) return false;
    if (view->second->core.own_mac(ip)) return false;
    for (const auto& [_, gateway] : published_.world->gateways) {
        if (gateway->network != network) continue;
        for (const auto& address : nat::public_addresses(*gateway))
            if (address.block.contains(ip)) return false;
        for (const auto& floating : gateway->floating_ips)
            if (floating.address == ip) return false;
    }
    return std::ranges::none_of(state_.allocations.attachments, [&](const auto& attachment) {
        const auto& [key, addresses] = attachment;
        return key.network == network && (addresses.ip == ip || addresses.ip6 == ip);
    });
}

bool Intent::awaits(const std::string& network, const Ip& ip) const {
    const auto view = published_.world->networks.find(network);
    return state_.learnt.neighbours.contains({network, ip}) ||
           (view != published_.world->networks.end() && view->second->core.nexthops.contains(ip));
}

void Intent::hear(const std::string& network, const Ip& ip, const Mac& mac) {
    auto& known = state_.learnt.neighbours[{network, ip}];
    if (known == mac) return;
    known = mac;
    dirty_ = true;
    rebuild({.all = false, .networks = {network}, .hosts = {}});
}

void Intent::forget(const std::string& network, const Ip& ip) {
    if (state_.learnt.neighbours.erase({network, ip}) == 0) return;
    dirty_ = true;
    rebuild({.all = false, .networks = {network}, .hosts = {}});
}

void Intent::note_unanswered(fabric::Unanswered unanswered) {
    if (unanswered == state_.learnt.unanswered) return;
    state_.learnt.unanswered = std::move(unanswered);
    dirty_ = true;
    rebuild({});
}

void Intent::note_absent(const std::string& host, bool absent) {
    if (absent ? !state_.learnt.absent.insert(host).second : state_.learnt.absent.erase(host) == 0) return;
    dirty_ = true;
    rebuild({.all = false, .networks = physical_networks(*topology_), .hosts = {}});
}

bool Intent::judge_services() {
    if (!published_.world) return false;
    std::set<std::string> out;
    for (const auto& [_, gateway] : published_.world->gateways)
        for (const auto& candidate : gateway->candidates) {
            const bool was = state_.learnt.out_of_service.contains(candidate.host);
            if (candidate.vtep && nat::out_of_service(candidate.host, *candidate.vtep, was, health_))
                out.insert(candidate.host);
        }
    if (out == state_.learnt.out_of_service) return false;
    state_.learnt.out_of_service = std::move(out);
    dirty_ = true;
    return true;
}

bool Intent::note_dead_links(const std::string& host, const std::set<std::string>& physnets) {
    const auto known = state_.learnt.dead_links.find(host);
    if (known == state_.learnt.dead_links.end() ? physnets.empty() : known->second == physnets) return false;
    if (physnets.empty())
        state_.learnt.dead_links.erase(known);
    else
        state_.learnt.dead_links[host] = physnets;
    dirty_ = true;
    return true;
}

bool Intent::look_at_gateways() {
    if (!published_.world) return false;
    std::map<std::string, std::string> active;
    for (const auto& [name, gateway] : published_.world->gateways) {
        const auto host = nat::active_host(*gateway, health_);
        active.emplace(name, host);
        const auto before = active_.find(name);
        if (before == active_.end() || before->second == host) continue;
        std::string why;
        for (const auto& candidate : gateway->candidates)
            if (candidate.host == before->second) why = nat::sentence(candidate, *gateway, health_);
        if (host.empty())
            voice_.say(LogLevel::error, "gateway_down", "", "gateway " + name, "no host can be active: " + why);
        else
            voice_.say(LogLevel::warning, "gateway_active", host, "gateway " + name,
                       why.empty() ? "active here" : fmt::format("active here now: {}", why));
    }
    return std::exchange(active_, std::move(active)) != active_;
}

void Intent::rebuild(fabric::Touched touched) {
    const auto judgement = claims_.judge(*topology_);
    auto bindings = fabric::winners(judgement);
    std::vector<std::string> rebound;
    for_each_difference(bindings_, bindings, [&](const std::string& port) {
        touch_networks_of(port, *topology_, touched);
        rebound.push_back(port);
    });
    if (auto macs = observed_macs(judgement, *topology_); macs != macs_) {
        macs_ = std::move(macs);
        reallocate(touched);
    }
    tell(rebound, bindings_, bindings);
    bindings_ = std::move(bindings);
    const auto facts = facts_under(*topology_);
    published_ = {
        fabric::build({topology_, state_.allocations, bindings_, facts, state_.learnt}, published_.world, touched),
        state_.current, SteadyClock::now()};
    store_holders(rebound);
    look_at_gateways();
    publish_(published_);
}

void Intent::reallocate(fabric::Touched& touched) {
    auto allocated = topology::allocate(*topology_, state_.allocations, macs_);
    for_each_difference(state_.allocations.attachments, allocated.allocations.attachments,
                        [&](const topology::AttachmentKey& key) {
                            touched.networks.insert(key.network);
                            // Translations lead to addresses.
                            if (address_of(state_.allocations, key) != address_of(allocated.allocations, key))
                                touched.all = true;
                        });
    for_each_difference(state_.allocations.services, allocated.allocations.services,
                        [&](const std::string& network) { touched.networks.insert(network); });
    for (const auto& problem : allocated.problems)
        voice_.say(LogLevel::warning, "allocation", "", "", problem.text);
    if (state_.allocations == allocated.allocations) return;
    dirty_ = true;
    ++allocated_;
    state_.allocations = std::move(allocated.allocations);
    drop_leases();
}

void Intent::store_holders(const std::vector<std::string>& rebound) {
    auto& holders = state_.holders;
    for (const auto& port : rebound) {
        if (const auto bound = bindings_.find(port); bound == bindings_.end()) {
            dirty_ = holders.erase(port) > 0 || dirty_;
        } else if (auto& holder = holders[port]; holder != bound->second.host) {
            holder = bound->second.host;
            dirty_ = true;
        }
    }
    // A restored state may name ports that no topology has any more.
    if (holders.size() != bindings_.size())
        dirty_ = std::erase_if(holders, [&](const auto& h) { return !bindings_.contains(h.first); }) > 0 || dirty_;
}

void Intent::tell(const std::vector<std::string>& rebound, const fabric::Bindings& before,
                  const fabric::Bindings& after) const {
    for (const auto& port : rebound) {
        const auto was = before.find(port);
        const auto is = after.find(port);
        const auto object = "port " + port;
        // A stored holder, before its host is heard of, is no news.
        const bool restored = was == before.end() && is->second.interface.empty();
        if (restored) continue;
        if (is == after.end())
            voice_.say(LogLevel::info, "port_unplugged", was->second.host, object, "is no longer plugged in");
        else if (was == before.end())
            voice_.say(LogLevel::info, "port_plugged", is->second.host, object,
                       fmt::format("plugged in as {}", is->second.interface));
        else if (was->second.host != is->second.host)
            voice_.say(LogLevel::info, "port_moved", is->second.host, object,
                       fmt::format("moved here from {}", was->second.host));
    }
}

} // namespace weft::controller
