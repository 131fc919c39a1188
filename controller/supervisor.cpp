#include "controller/supervisor.hpp"

#include "controller/certificate.hpp"
#include "controller/failpoint.hpp"
#include "controller/vm_accounts.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <malloc.h>
#include <set>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;

/// Observations (which host holds a port) are saved this long after the first of a burst.
constexpr Milliseconds kSaveDelay = 100ms;
/// Between two times that leases which were only renewed are saved.
constexpr Milliseconds kSaveLeases = 60s;
/// Until the next attempt after one that failed.
constexpr Milliseconds kSaveRetry = 5s;
/// A host that was away stays synced for so long before gateways' traffic may come back to it.
constexpr Milliseconds kTrust = 1s;
/// So long a host that the daemon has just begun with takes to come, at most; so that a restart of weftd is no fault.
constexpr Milliseconds kArrival = 3s;
/// A host that is down for so long is the edge of no routed network any more.
constexpr Milliseconds kAbsent = 3s;
/// Between two looks at the meters.
constexpr Milliseconds kMeters = 2s;
/// No host was synced anew for so long: what that took in memory will not be needed again soon.
constexpr Milliseconds kQuiet = 2s;

/// Peers that are refused come back every second: of each it is said again only when it is another reason. Beyond so
/// many peers all of that is forgotten.
constexpr std::size_t kRefusedPeers = 1024;

bool is_any_address(const std::string& address) {
    return address == "0.0.0.0" || address == "::";
}

} // namespace

Supervisor::Supervisor(asio::io_context& io, Settings settings, Store& store, Log& log, EventLog& events)
    : io_(io), settings_(std::move(settings)), log_(log), events_(events), voice_{log, events}, store_(store),
      intent_(settings_, voice_, [this](const Published& published) { publish(published); }), announcer_(sender()),
      neighbours_(sender(), [this](const std::string& network, const Ip& ip) { intent_.forget(network, ip); }),
      next_hops_(voice_, sender(),
                 [this](const fabric::Unanswered& unanswered) { intent_.note_unanswered(unanswered); }),
      packets_(
          voice_,
          [this](const std::string& host, const std::string& network, const Ip& ip, const Mac& mac) {
              if (!intent_.may_hear(network, ip)) return;
              const bool asked = neighbours_.heard(network, ip);
              next_hops_.heard(host, network, ip);
              if (asked || intent_.awaits(network, ip)) intent_.hear(network, ip, mac);
          },
          [this](const std::string& network, const Ip& ip, const std::string& host, openflow::PacketOut again) {
              return neighbours_.need(network, ip, host, std::move(again));
          }),
      leases_(intent_, voice_), services_(
                                    io, voice_, sender(), [this](const LeaseNews& news) { leases_.note(news); },
                                    [this]() -> const topology::Allocations& { return intent_.allocations(); },
                                    [this] { return intent_.allocated(); }, settings_.resolvers),
      advertiser_(sender(),
                  [this](const std::string& network) { services_.count(network, "ra", "router_advertisement"); }),
      meters_(voice_), trial_(io.get_executor()), spread_(io.get_executor()), save_(io.get_executor()),
      synced_(io.get_executor()), ending_(io.get_executor()), arriving_(io.get_executor()) {}

Result<> Supervisor::start() {
    if (settings_.tls) {
        auto context = tls_context(*settings_.tls);
        if (!context) return std::unexpected(context.error());
        tls_ = std::move(*context);
    }
    auto listener = listen(io_, settings_.openflow, tls_, [this](const std::string& peer, const std::string& why) {
        refuse(peer, "", fmt::format("OpenFlow connection from {}: {}", peer, why));
    });
    if (!listener) return std::unexpected(listener.error());
    listener_ = std::move(*listener);
    auto loaded = store_.load();
    if (!loaded) return std::unexpected(loaded.error());
    for (const auto& notice : loaded->notices)
        voice_.say(LogLevel::warning, "state", "", "", notice);
    if (auto restored = intent_.restore(std::move(loaded->state)); !restored) return restored;
    // Whose hand would have confirmed it is not known to be there any more.
    if (intent_.state().awaiting) take_back("weftd was started again before it was confirmed");
    asio::co_spawn(io_, accept(), asio::detached);
    asio::co_spawn(io_, await_confirmation(), asio::detached);
    asio::co_spawn(io_, save_at_leisure(), asio::detached);
    asio::co_spawn(io_, save_leases(), asio::detached);
    asio::co_spawn(io_, give_memory_back(), asio::detached);
    asio::co_spawn(io_, watch_meters(), asio::detached);
    asio::co_spawn(io_, watch_spread(), asio::detached);
    asio::co_spawn(io_, await_arrivals(), asio::detached);
    asio::co_spawn(io_, metrics_.watch_loop(), asio::detached);
    asio::co_spawn(io_, announcer_.run(), asio::detached);
    asio::co_spawn(io_, neighbours_.run(), asio::detached);
    asio::co_spawn(io_, next_hops_.run(), asio::detached);
    asio::co_spawn(io_, advertiser_.run(), asio::detached);
    return {};
}

void Supervisor::stop() {
    stopped_ = true;
    if (listener_) listener_->close();
    for (auto& [_, host] : hosts_)
        host.stop();
    for (auto& [_, rows] : leaving_)
        rows->stop();
    for (auto& [_, libvirt] : leaving_libvirt_)
        libvirt->stop();
    if (intent_.dirty() || intent_.leases_dirty())
        if (const auto saved = store_.save(intent_.state()); !saved) log_.error("weftd", saved.error().text);
    announcer_.stop();
    neighbours_.stop();
    next_hops_.stop();
    advertiser_.stop();
    services_.stop();
    metrics_.stop();
    trial_.raise();
    spread_.raise();
    save_.raise();
    synced_.raise();
    ending_.raise();
    arriving_.raise();
}

RowsAgent::Wanted Supervisor::wanted(const topology::Host& host, const fabric::World& world) const {
    auto openflow = listener_->endpoint();
    // "{local}": the address by which this daemon reaches the host's OVSDB is the one that reaches the daemon back.
    if (!settings_.advertise.empty())
        openflow.address = settings_.advertise;
    else if (is_any_address(openflow.address))
        openflow.address = "{local}";
    // parse() has accepted it: Intent::consider checks.
    RowsAgent::Wanted wanted{
        .endpoint = *Endpoint::parse(host.ovsdb), .tls = tls_, .host = host, .controllers = {openflow.to_string()}};
    if (const auto view = world.hosts.find(host.name); view != world.hosts.end()) {
        wanted.view = view->second;
        wanted.watched = view->second->watched;
        wanted.qos = view->second->qos;
    }
    // A host that has no way out for any gateway tells the others by BFD, which is quicker than the daemon.
    bool candidate = false;
    bool linked = false;
    for (const auto& [_, gateway] : world.gateways)
        if (const auto rank = gateway->rank(host.name)) {
            candidate = true;
            linked = linked || gateway->candidates[*rank].has_uplink;
        }
    wanted.withdrawn = candidate && !linked;
    return wanted;
}

void Supervisor::start_host(const topology::Host& host) {
    const auto name = host.name;
    if (const auto left = leaving_.find(name); left != leaving_.end()) {
        left->second->stop();
        leaving_.erase(left);
    }
    HostAgent agent;
    agent.flows = std::make_shared<SwitchAgent>(io_, name, voice_, [this, name] { note_state(name); });
    agent.rows = std::make_shared<RowsAgent>(
        io_, name, voice_,
        [this, name, flows = agent.flows](const fabric::Observation& seen) {
            intent_.observe(name, seen);
            flows->set_ready(true);
        },
        [this, name] { note_state(name); });
    agent.awaited_until = SteadyClock::now() + kArrival;
    hosts_.emplace(name, agent);
    arriving_.raise();
    agent.rows->start(wanted(host, *intent_.published().world));
}

void Supervisor::stop_host(const std::string& name) {
    auto agent = hosts_.at(name);
    hosts_.erase(name);
    agent.flows->stop();
    leaving_[name] = agent.rows;
    agent.rows->leave([this, name] {
        voice_.say(LogLevel::info, "host_cleaned", name, "", "weft's rows were taken off the host");
        leaving_.erase(name);
    });
    if (agent.libvirt) leave_libvirt(name, agent.libvirt);
    voice_.say(LogLevel::info, "host_left", name, "", "left the topology");
}

void Supervisor::leave_libvirt(const std::string& name, const std::shared_ptr<LibvirtAgent>& libvirt) {
    leaving_libvirt_[name] = libvirt;
    // Not at once: who calls may be called by it.
    libvirt->leave([this, name] { asio::post(io_, [this, name] { leaving_libvirt_.erase(name); }); });
}

void Supervisor::offer_networks(const std::shared_ptr<const topology::Topology>& topology) {
    if (topology == offered_) return;
    offered_ = topology;
    for (const auto& [name, host] : topology->hosts) {
        auto& libvirt = hosts_.at(name).libvirt;
        if (host.libvirt.empty()) {
            if (!libvirt) continue;
            leave_libvirt(name, std::exchange(libvirt, nullptr));
            asio::post(io_, [this, name] { intent_.forget_vms(name); });
            continue;
        }
        LibvirtAgent::Wanted wanted{host.libvirt, host.bridge, offered_networks(*topology, host)};
        if (libvirt) {
            libvirt->want(std::move(wanted));
            continue;
        }
        if (const auto left = leaving_libvirt_.find(name); left != leaving_libvirt_.end()) {
            left->second->stop();
            leaving_libvirt_.erase(left);
        }
        libvirt = std::make_shared<LibvirtAgent>(
            io_, name, voice_, [this, name](fabric::HostVms told) { intent_.observe_vms(name, std::move(told)); },
            [this, name] { note_state(name); });
        libvirt->start(std::move(wanted));
    }
}

void Supervisor::publish(const Published& published) {
    const auto& topology = intent_.topology();
    std::vector<std::string> gone;
    for (const auto& [name, _] : hosts_)
        if (!topology.hosts.contains(name)) gone.push_back(name);
    for (const auto& name : gone)
        stop_host(name);
    for (const auto& [name, host] : topology.hosts) {
        const auto agent = hosts_.find(name);
        if (agent == hosts_.end())
            start_host(host);
        else
            agent->second.rows->want(wanted(host, *published.world));
    }
    offer_networks(published.world->topology);
    failpoint("supervisor.publishing");
    for (const auto& [_, agent] : hosts_)
        agent.flows->publish(published);
    forget_cached(intent_.active());
    announcer_.publish(*published.world, intent_.active());
    neighbours_.publish(published.world);
    next_hops_.publish(published.world, intent_.active(), intent_.state().learnt.unanswered);
    services_.publish(published.world);
    advertiser_.publish(published.world);
    if (intent_.dirty()) save_.raise();
}

void Supervisor::forget_cached(const std::map<std::string, std::string>& active) {
    const auto gateways = moved_gateways(active_, active);
    for (const auto& [name, host] : active)
        if (!host.empty()) active_[name] = host; // nobody for now: who comes next is compared with who was last
    if (gateways.empty()) return;
    for (const auto& [name, view] : intent_.published().world->hosts)
        if (has_any(*view, gateways))
            if (const auto agent = hosts_.find(name); agent != hosts_.end()) agent->second.flows->forget_cached();
}

Task<void> Supervisor::save_at_leisure() {
    std::string said;
    while (!stopped_) {
        co_await save_.wait();
        if (stopped_ || (!intent_.dirty() && !intent_.leases_dirty())) continue;
        co_await sleep_for(kSaveDelay);
        if (stopped_) break;
        if (const auto saved = store_.save(intent_.state()); saved) {
            intent_.saved();
            said.clear();
            continue;
        } else if (said != saved.error().text) {
            said = saved.error().text;
            voice_.say(LogLevel::error, "state", "", "", said);
        }
        co_await sleep_for(kSaveRetry);
        save_.raise();
    }
}

Task<void> Supervisor::save_leases() {
    while (!stopped_) {
        co_await ending_.wait(kSaveLeases);
        if (intent_.leases_dirty()) save_.raise();
    }
}

/// Dumps and plans of many hosts at once leave holes in the heap that malloc keeps: many times what lives on.
Task<void> Supervisor::give_memory_back() {
    while (!stopped_) {
        co_await synced_.wait();
        while (!stopped_ && co_await synced_.wait(kQuiet)) {
        }
        if (!stopped_) malloc_trim(0);
    }
}

Task<void> Supervisor::watch_spread() {
    while (!stopped_) {
        co_await spread_.wait();
        if (!applied_) continue;
        bool anybody = false, all = true;
        for (const auto& [_, agent] : hosts_) {
            const auto state = agent.status().state;
            if (state == HostState::down || state == HostState::degraded) continue;
            anybody = true;
            all = all && state == HostState::synced && agent.flows->revision() == intent_.published().revision;
        }
        if (!all) continue;
        if (anybody) metrics_.converged(SteadyClock::now() - *applied_);
        applied_.reset();
    }
}

Task<void> Supervisor::accept() {
    while (!stopped_) {
        auto stream = co_await listener_->accept();
        if (stopped_) break;
        if (!stream) {
            log_.warning("weftd", "OpenFlow listener: " + stream.error().text);
            co_await sleep_for(100ms);
            continue;
        }
        asio::co_spawn(io_, greet(std::move(*stream)), asio::detached);
    }
}

Task<void> Supervisor::greet(std::unique_ptr<Stream> stream) {
    const auto peer = stream->peer_address();
    const auto certified = host_of_certificate(stream->peer_common_name());
    auto session = co_await openflow::Session::open(std::move(stream));
    if (stopped_) co_return;
    if (!session) {
        refuse(peer, "", fmt::format("OpenFlow connection from {}: {}", peer, session.error().text));
        co_return;
    }
    const auto id = (*session)->features().datapath_id;
    const auto host = std::ranges::find_if(hosts_, [&](const auto& h) { return fabric::datapath_id(h.first) == id; });
    if (host == hosts_.end()) {
        refuse(peer, "",
               fmt::format("OpenFlow connection from {}: datapath {:016x} is no host of the topology", peer, id));
        co_return;
    }
    if (listener_->endpoint().transport == Endpoint::Transport::ssl && certified != host->first) {
        refuse(
            peer, host->first,
            fmt::format("OpenFlow connection from {}: it showed the certificate of '{}' and claimed to be {}: refused",
                        peer, certified, host->first));
        co_return;
    }
    refused_.erase(peer);
    const std::shared_ptr<openflow::Session> shared(std::move(*session));
    asio::co_spawn(io_, serve_packets(host->first, shared), asio::detached);
    host->second.flows->adopt(shared);
}

Task<void> Supervisor::serve_packets(std::string host, std::shared_ptr<openflow::Session> session) {
    while (auto packet = co_await session->packet_in()) {
        if (stopped_) co_return;
        const auto world = intent_.published().world; // an answer may bring about another
        const auto view = world->hosts.find(host);
        if (view == world->hosts.end()) continue;
        const auto what = pipeline::punt_of(packet->userdata);
        metrics_.punted(what);
        if (what == pipeline::Punt::arrived) {
            intent_.note_spoke(host, packet->in_port);
            continue;
        }
        const bool asks = what == pipeline::Punt::service;
        for (const auto& answer :
             asks ? services_.answer(*packet, *view->second) : packets_.answer(*packet, *view->second))
            session->packet_out(answer);
        if (intent_.dirty()) save_.raise(); // a lease
    }
}

Task<void> Supervisor::watch_meters() {
    while (!stopped_) {
        std::vector<std::pair<std::string, std::shared_ptr<openflow::Session>>> sessions;
        for (const auto& [name, agent] : hosts_)
            if (const auto session = agent.flows->session();
                session && agent.flows->phase() == SwitchAgent::Phase::synced)
                sessions.emplace_back(name, session);
        for (const auto& [name, session] : sessions) {
            const auto& hosts = intent_.published().world->hosts;
            const auto view = hosts.find(name);
            if (view == hosts.end()) continue;
            const auto host = view->second; // whatever is published meanwhile
            const auto stats = co_await session->meter_stats();
            if (stopped_) co_return;
            if (stats) meters_.note(*host, *stats, SteadyClock::now());
        }
        co_await sleep_for(kMeters);
    }
}

SendFrom Supervisor::sender() {
    return [this](const std::string& host, const openflow::PacketOut& packet) { return send(host, packet); };
}

bool Supervisor::send(const std::string& host, const openflow::PacketOut& packet) const {
    const auto agent = hosts_.find(host);
    if (agent == hosts_.end() || agent->second.flows->phase() != SwitchAgent::Phase::synced) return false;
    const auto session = agent->second.flows->session();
    return session && session->packet_out(packet);
}

void Supervisor::refuse(const std::string& peer, const std::string& host, const std::string& text) {
    if (stopped_) return;
    if (refused_.size() >= kRefusedPeers) refused_.clear();
    auto& said = refused_[peer];
    if (said == text) return;
    said = text;
    voice_.say(host.empty() ? LogLevel::warning : LogLevel::error, "refused_connection", host, "", text);
}

Task<void> Supervisor::await_arrivals() {
    while (!stopped_) {
        const auto now = SteadyClock::now();
        auto next = SteadyClock::time_point::max();
        for (auto& [name, host] : hosts_)
            if (host.awaited_until > now) {
                next = std::min(next, host.awaited_until);
            } else if (std::exchange(host.awaited_until, {}) != SteadyClock::time_point{}) {
                tell_state(name);
            }
        co_await arriving_.wait(next == SteadyClock::time_point::max() ? SteadyClock::duration::max() : next - now);
    }
}

void Supervisor::note_state(const std::string& name) {
    const auto found = hosts_.find(name);
    if (found == hosts_.end()) return;
    const auto status = found->second.status();
    if (status.state == HostState::synced) {
        synced_.raise();
        found->second.awaited_until = {};
    }
    spread_.raise();
    asio::co_spawn(io_, note_health(name, found->second.forwarding().state), asio::detached);
    tell_state(name);
}

void Supervisor::tell_state(const std::string& name) {
    const auto found = hosts_.find(name);
    if (found == hosts_.end()) return;
    const auto status = found->second.status();
    if (status == found->second.last_said) return;
    // A change on its way is no news, and neither is its end.
    if (status.state == HostState::syncing) return log_.debug(name, "syncing: " + status.reason);
    found->second.last_said = status;
    const bool synced = status.state == HostState::synced;
    voice_.say(synced ? LogLevel::info : LogLevel::warning, fmt::format("host_{}", name_of(status.state)), name, "",
               synced ? "synced" : fmt::format("{}: {}", name_of(status.state), status.reason));
}

/// Later than the call, which may come from an agent in the middle of its own change. That a host is synced is trusted
/// once it has stayed so: a restarted ovs-vswitchd may have given its ports new numbers, which weftd hears of a little
/// after the session.
Task<void> Supervisor::note_health(std::string name, HostState state) {
    const auto is = [this, &name](HostState wanted) {
        const auto agent = hosts_.find(name);
        return !stopped_ && agent != hosts_.end() && agent->second.forwarding().state == wanted;
    };
    co_await asio::post(io_, asio::use_awaitable);
    if (const auto agent = hosts_.find(name); agent != hosts_.end())
        if (const auto reached = agent->second.flows->acknowledged(); reached.world)
            intent_.note_reached(name, reached);
    if (state == HostState::syncing) co_return; // as it should be, but for a change on its way
    if (state == HostState::synced) {
        const auto since = trust_[name];
        co_await sleep_for(kTrust);
        if (!is(HostState::synced) || trust_[name] != since) co_return;
        intent_.note_synced(name, true);
        intent_.note_absent(name, false);
        co_return;
    }
    const auto away = ++trust_[name];
    if (stopped_ || !hosts_.contains(name)) co_return;
    if (hosts_.at(name).rows->phase() == RowsAgent::Phase::down)
        intent_.lose(name);
    else
        intent_.note_synced(name, false);
    if (state != HostState::down) co_return;
    co_await sleep_for(kAbsent);
    if (is(HostState::down) && trust_[name] == away) intent_.note_absent(name, true);
}

bool Supervisor::converged() const {
    return std::ranges::all_of(hosts_, [this](const auto& host) {
        return host.second.status().state == HostState::synced &&
               host.second.flows->revision() == intent_.published().revision && host.second.flows->lag_ms() == 0;
    });
}

} // namespace weft::controller
