#include "controller/intent.hpp"

#include "controller/failpoint.hpp"
#include "controller/recollection.hpp"
#include "controller/vm_accounts.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

namespace weft::controller {
namespace {

/// Where a guarantee that a port has cannot act. `validate` warns of hosts whose datapath is in the file.
std::vector<std::string> idle_guarantees(const topology::Topology& topology) {
    std::set<std::string> guaranteed;
    for (const auto& [_, port] : topology.ports)
        if (const auto qos = topology.qos.find(port.qos);
            qos != topology.qos.end() && qos->second.guarantee_bits_per_second)
            guaranteed.insert(qos->first);
    std::vector<std::string> userspace;
    for (const auto& [name, host] : topology.hosts)
        if (host.datapath == topology::Datapath::netdev) userspace.push_back(name);
    if (guaranteed.empty() || userspace.empty()) return {};
    return {fmt::format("no guarantee of qos {} on {}: datapath \"netdev\" puts no packet in a queue",
                        fmt::join(guaranteed, ", "), fmt::join(userspace, ", "))};
}

topology::ObservedMacs observed_macs(const fabric::Judgement& judgement, const topology::Topology& topology,
                                     topology::ObservedMacs macs) {
    for (const auto& [port, judged] : judgement)
        if (judged.front().claim.attached_mac && !topology.ports.at(port).mac)
            macs.insert_or_assign(port, *judged.front().claim.attached_mac);
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

bool name_networks(const std::vector<fabric::Claim>& claims) {
    return std::ranges::any_of(claims, [](const fabric::Claim& claim) { return !claim.profile.empty(); });
}

/// Ports whose value differs between two maps by port name.
template <class Map, class Then>
void for_each_difference(const Map& before, const Map& after, Then then) {
    for (const auto& [name, value] : after)
        if (const auto old = before.find(name); old == before.end() || old->second != value) then(name);
    for (const auto& [name, _] : before)
        if (!after.contains(name)) then(name);
}

State under(const Candidate& candidate, State state) {
    state.allocations = candidate.allocations;
    state.dynamic_ports = candidate.vm_ports.dynamic;
    state.vm_nics = candidate.vm_ports.nics;
    // Whether they are still there is asked in time, as of all neighbours.
    state.learnt.neighbours.insert(candidate.neighbours.begin(), candidate.neighbours.end());
    return state;
}

/// A candidate of the gateway that was there and could not translate.
bool was_unready(const fabric::WorldPtr& before, const std::string& gateway, const std::string& host) {
    if (!before) return false;
    const auto view = before->gateways.find(gateway);
    if (view == before->gateways.end()) return false;
    const auto rank = view->second->rank(host);
    return rank && !view->second->candidates[*rank].ready;
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

Candidate Intent::consider(const std::vector<topology::Source>& sources,
                           const std::optional<Recollection>& then) const {
    Candidate candidate;
    auto parsed = topology::parse(sources);
    candidate.problems = std::move(parsed.problems);
    apply_host_settings(settings_.hosts, parsed.topology);
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
    const auto before = then ? with_what_is_known(*then, state_.recollection(), *topology_)
                             : Recollection{state_.allocations, state_.dynamic_ports, state_.vm_nics, {}};
    candidate.neighbours = before.neighbours;
    candidate.vm_ports = vm_ports_under(parsed.topology, {before.dynamic_ports, before.vm_nics, {}});
    candidate.topology =
        std::make_shared<const topology::Topology>(fabric::with_dynamic_ports(parsed.topology, candidate.vm_ports));
    auto macs = macs_;
    for (const auto& [port, mac] : candidate.vm_ports.macs(parsed.topology))
        macs.insert_or_assign(port, mac);
    auto allocated = topology::allocate(*candidate.topology, before.allocations, macs);
    candidate.allocations = std::move(allocated.allocations);
    if (then) candidate.notices = readdressed(candidate.vm_ports.dynamic, state_.allocations, candidate.allocations);
    for (auto& problem : allocated.problems)
        // Dynamic ports are nobody's file: a VM that finds no address stops no topology.
        if (problem.where.file.empty())
            candidate.notices.push_back(problem.text);
        else
            candidate.problems.push_back(std::move(problem));
    for (auto& notice : idle_guarantees(*candidate.topology))
        candidate.notices.push_back(std::move(notice));
    for (const auto& [object, trouble] : candidate.vm_ports.troubles)
        if (!troubles_.contains(object)) candidate.notices.push_back(fmt::format("{}: {}", object, trouble));
    candidate.written = std::make_shared<const topology::Topology>(std::move(parsed.topology));
    return candidate;
}

State Intent::with_revision(const Candidate& candidate, std::string source, std::vector<topology::Source> sources,
                            std::optional<Timestamp> confirm_by) const {
    State state = state_;
    state.add_revision(std::move(source), std::move(sources), now(), confirm_by);
    return under(candidate, std::move(state));
}

State Intent::with_rollback(const Candidate& candidate, RevisionNumber to) const {
    State state = state_;
    state.roll_back(to, now());
    return under(candidate, std::move(state));
}

void Intent::note_trial(const State& state) {
    state_.revisions = state.revisions;
    state_.awaiting = state.awaiting;
}

bool Intent::changes_nothing(const Candidate& candidate) const {
    return state_.current != 0 && *candidate.written == *written_;
}

void Intent::commit(const Candidate& candidate, State state) {
    adopt(candidate, std::move(state));
    failpoint("intent.committed");
    rebuild_all();
}

Intent Intent::imagine(const Candidate& candidate) const {
    Intent imagined(*this);
    imagined.publish_ = [](const Published&) {};
    imagined.voice_.silent = true;
    // Who is plugged into a bridge goes with it. In earnest the host tells: one that is down has the old bridge still.
    for (const auto& [name, host] : candidate.topology->hosts)
        if (const auto before = topology_->hosts.find(name);
            before != topology_->hosts.end() && before->second.bridge != host.bridge && claims_.observed(name))
            imagined.claims_.observe(name, {});
    imagined.adopt(candidate, under(candidate, std::move(imagined.state_)));
    imagined.rebuild_all();
    return imagined;
}

void Intent::adopt(const Candidate& candidate, State state) {
    state_ = std::move(state);
    state_.allocations = candidate.allocations;
    ++allocated_;
    for (const auto& [host, _] : topology_->hosts)
        if (!candidate.topology->hosts.contains(host)) {
            claims_.forget(host);
            open_.erase(host);
            told_.erase(host);
            facts_.erase(host);
            health_.reachable.erase(host);
            state_.learnt.dead_links.erase(host);
            health_.synced.erase(host);
            health_.lost.erase(host);
        }
    written_ = candidate.written;
    topology_ = candidate.topology;
    std::erase_if(state_.learnt.neighbours,
                  [this](const auto& known) { return !topology_->networks.contains(known.first.first); });
    for (auto* hosts : {&state_.learnt.absent, &state_.learnt.out_of_service})
        std::erase_if(*hosts, [this](const std::string& host) { return !topology_->hosts.contains(host); });
    drop_leases();
}

void Intent::rebuild_all() {
    fabric::Touched touched{.all = true, .networks = {}, .hosts = {}};
    decide_vm_ports(touched); // hosts that left tell nothing any more
    rebuild(std::move(touched));
}

std::map<std::string, fabric::HostFacts> Intent::facts_under(const topology::Topology& topology) const {
    auto facts = facts_;
    for (const auto& [name, host] : topology.hosts)
        facts[name].vtep = host.vtep;
    return facts;
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
    // Where libvirt is not reached, OVSDB alone says what was meant.
    const auto account = told_.find(host);
    const bool alone = (account == told_.end() || !account->second.current) &&
                       (name_networks(seen.claims) || name_networks(claims_.claims_of(host)));
    const bool claimed = claims_.observe(host, seen.claims);
    const bool decided = claimed && alone && decide_vm_ports(touched);
    if (!claimed && !decided && touched.hosts.empty() && !judged && !relinked) {
        if (look_at_gateways()) publish_(published_);
        return;
    }
    rebuild(std::move(touched));
}

void Intent::observe_vms(const std::string& host, fabric::HostVms told) {
    if (!topology_->hosts.contains(host)) return;
    // The first one is news even if it says nothing: from then on OVSDB's word counts.
    const auto [account, first] = told_.try_emplace(host);
    auto& known = account->second;
    if (!told.current) told.vms = known.vms;
    if (!first && known == told) return;
    known = std::move(told);
    std::set<std::string> running;
    for (const auto& [uuid, vm] : known.vms)
        if (known.current && vm.state == fabric::VmState::running) running.insert(uuid);
    const bool arrived = claims_.note_running(host, std::move(running));
    fabric::Touched touched;
    if (decide_vm_ports(touched) || arrived) rebuild(std::move(touched));
}

void Intent::forget_vms(const std::string& host) {
    if (told_.erase(host) == 0) return;
    claims_.note_running(host, {});
    fabric::Touched touched;
    if (decide_vm_ports(touched)) rebuild(std::move(touched));
}

void Intent::note_spoke(const std::string& host, std::uint32_t ofport) {
    if (claims_.note_spoke(host, ofport)) rebuild({});
}

Result<> Intent::hold(topology::Port port, const std::string& uuid, const std::string& host) {
    const auto name = port.name;
    if (topology_->ports.contains(name) || state_.dynamic_ports.contains(name))
        return fail(ErrorKind::invalid, fmt::format("there is a port {}: choose another name", name));
    const bool taken =
        std::ranges::any_of(state_.dynamic_ports, [&](const auto& d) { return d.second.port.mac == port.mac; }) ||
        std::ranges::any_of(state_.allocations.attachments, [&](const auto& a) { return a.second.mac == port.mac; });
    if (taken)
        return fail(ErrorKind::invalid,
                    fmt::format("another port has the MAC {}: MACs are unique in a topology", port.mac->to_string()));
    state_.dynamic_ports.emplace(name, fabric::DynamicPort{std::move(port), uuid, {host}});
    held_.insert(name);
    fabric::Touched touched;
    decide_vm_ports(touched);
    rebuild(std::move(touched));
    if (topology_->ports.contains(name)) return {};
    const auto trouble = troubles_.find("port " + name);
    const auto text = trouble == troubles_.end() ? fmt::format("there can be no port {}", name) : trouble->second;
    release(name);
    return fail(ErrorKind::invalid, text);
}

void Intent::release(const std::string& port) {
    if (held_.erase(port) == 0) return;
    fabric::Touched touched;
    if (decide_vm_ports(touched)) rebuild(std::move(touched));
}

fabric::VmPorts Intent::vm_ports_under(const topology::Topology& written, const fabric::VmPorts& before) const {
    auto told = told_;
    std::optional<topology::Topology> offered; // with the dynamic ports: their portgroups are
    for (const auto& [name, host] : written.hosts) {
        const auto account = told.find(name);
        const bool silent = account == told.end() ? host.libvirt.empty() : !account->second.current;
        if (!silent || !claims_.observed(name)) continue;
        if (host.libvirt.empty()) told[name].current = true;
        const auto claims = claims_.claims_of(name);
        if (!name_networks(claims)) continue;
        if (!offered) {
            auto ports = before;
            offered = fabric::with_dynamic_ports(written, ports);
        }
        add_claimed(told[name], claims, *offered);
    }
    return fabric::vm_ports(written, told, before, held_);
}

bool Intent::decide_vm_ports(fabric::Touched& touched) {
    auto decided = vm_ports_under(*written_, {state_.dynamic_ports, state_.vm_nics, {}});
    auto topology = fabric::with_dynamic_ports(*written_, decided);
    tell_troubles(std::move(decided.troubles));
    const bool ports = topology.ports != topology_->ports;
    if (decided.nics == state_.vm_nics && !ports && decided.dynamic == state_.dynamic_ports) return false;
    dirty_ = true;
    state_.dynamic_ports = std::move(decided.dynamic);
    state_.vm_nics = std::move(decided.nics);
    if (ports) {
        const auto touch = [&](const std::string& port) {
            touch_networks_of(port, *topology_, touched);
            touch_networks_of(port, topology, touched);
            // Groups reach into the zones and members of other networks.
            for (const auto* in : {topology_.get(), &std::as_const(topology)})
                if (const auto found = in->ports.find(port);
                    found != in->ports.end() && !found->second.security_groups.empty())
                    touched.all = true;
        };
        for_each_difference(topology_->ports, topology.ports, touch);
        topology_ = std::make_shared<const topology::Topology>(std::move(topology));
        ports_changed_ = true;
    }
    return true;
}

void Intent::tell_troubles(std::map<std::string, std::string> troubles) {
    for (const auto& [object, text] : troubles)
        if (const auto said = troubles_.find(object); said == troubles_.end() || said->second != text)
            voice_.say(LogLevel::warning, "vm", "", object, text);
    troubles_ = std::move(troubles);
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

void Intent::note_reached(const std::string& host, const Published& reached) {
    auto& open = open_[host];
    open.clear();
    for (const auto& [name, gateway] : reached.world->gateways)
        if (const auto rank = gateway->rank(host); rank && gateway->candidates[*rank].ready) open.insert(name);
    // Not by a world from before it was not ready: the one that shuts its gates may be on its way.
    const auto told = std::erase_if(state_.learnt.returning, [&](const auto& known) {
        return known.second == host && open.contains(known.first) && reached.number >= returned_in_[known];
    });
    if (told == 0) return;
    dirty_ = true;
    rebuild({});
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
            // Who has no way out is in no group anyway, and tells the others so by BFD: it is not lost.
            if (!candidate.has_uplink) continue;
            const bool was = state_.learnt.out_of_service.contains(candidate.host);
            if (candidate.vtep && nat::out_of_service(candidate.host, *candidate.vtep, was, health_))
                out.insert(candidate.host);
        }
    if (out == state_.learnt.out_of_service) return false;
    state_.learnt.out_of_service = std::move(out);
    dirty_ = true;
    return true;
}

bool Intent::note_returning(const fabric::World& next, bool edited) {
    // One that cannot be told anything now goes on as it was told last.
    const auto knows = [&](const std::string& gateway, const std::string& host) {
        const auto open = open_.find(host);
        return !health_.synced.contains(host) && open != open_.end() && open->second.contains(gateway);
    };
    fabric::Returning returning;
    for (const auto& [name, gateway] : next.gateways)
        for (const auto& candidate : gateway->candidates) {
            if (!candidate.ready) continue;
            const bool still = state_.learnt.returning.contains({name, candidate.host});
            const bool comes =
                !edited && was_unready(published_.world, name, candidate.host) && !knows(name, candidate.host);
            if (!still && !comes) continue;
            returning.insert({name, candidate.host});
            if (!still) returned_in_[{name, candidate.host}] = published_.number + 1;
        }
    if (returning == state_.learnt.returning) return false;
    state_.learnt.returning = std::move(returning);
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
    const auto judgement = judge();
    auto bindings = fabric::winners(judgement);
    std::vector<std::string> rebound;
    for_each_difference(bindings_, bindings, [&](const std::string& port) {
        touch_networks_of(port, *topology_, touched);
        rebound.push_back(port);
    });
    if (auto macs = observed_macs(judgement, *topology_, fabric::VmPorts{{}, state_.vm_nics, {}}.macs(*written_));
        macs != macs_ || ports_changed_) {
        macs_ = std::move(macs);
        ports_changed_ = false;
        reallocate(touched);
    }
    tell(rebound, bindings_, bindings);
    bindings_ = std::move(bindings);
    const auto facts = facts_under(*topology_);
    const fabric::Inputs inputs{topology_, state_.allocations, bindings_, facts, state_.learnt};
    auto world = fabric::build(inputs, published_.world, touched);
    // `inputs` refers to what is learnt, which has changed then.
    if (note_returning(*world, touched.all)) world = fabric::build(inputs, world, {});
    published_ = {std::move(world), state_.current, published_.number + 1, SteadyClock::now()};
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
