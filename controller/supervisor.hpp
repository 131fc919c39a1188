// Supervisor: wires the daemon together. Observations of the host agents go into Intent; the world that Intent
// publishes goes to the host agents; bridges that dial in are handed to their host's agent; state is saved.
//
//   OVSDB ──Observation──▶ Intent ──Published──▶ HostAgent (rows, switch) ──▶ OVSDB, OpenFlow
//   API ──Candidate──────────▲
//
// Rules of life: one thread, the io_context's. stop() first, then run the io_context dry, then destroy.
#pragma once
#include "base/stream.hpp"
#include "controller/address_services.hpp"
#include "controller/announcer.hpp"
#include "controller/foresight.hpp"
#include "controller/host_agent.hpp"
#include "controller/intent.hpp"
#include "controller/lease_book.hpp"
#include "controller/metrics.hpp"
#include "controller/neighbours.hpp"
#include "controller/next_hops.hpp"
#include "controller/packet_service.hpp"
#include "controller/port_meters.hpp"
#include "controller/router_advertiser.hpp"
#include "controller/settings.hpp"
#include "controller/state.hpp"

#include <map>
#include <memory>
#include <string>

namespace weft::controller {

class Supervisor {
  public:
    Supervisor(asio::io_context& io, Settings settings, Store& store, Log& log, EventLog& events);

    /// Loads the state, starts the OpenFlow listener and an agent per host. Errors name the remedy.
    Result<> start();
    void stop();

    using Trial = std::optional<std::chrono::seconds>; ///< for how long

    /// Saves, then puts in force. With `trial` what was in force before comes back after that time, unless confirm() or
    /// an apply() without comes first. Errors: io, the state could not be saved; refused, there is nothing to come
    /// back. Nothing has changed then.
    Result<> apply(const Candidate& candidate, const std::string& source, const std::vector<topology::Source>& sources,
                   Trial trial = {});
    /// The revision on trial stays. Errors: refused, none is; io, it could not be saved, and is still on trial.
    Result<> confirm();
    /// The time until the revision on trial is taken back begins anew. Errors as of confirm().
    Result<> prolong(std::chrono::seconds trial);

    /// A revision that is to come back, as it would be now.
    struct WayBack {
        RevisionNumber to = 0;
        Candidate candidate;
    };
    /// Without `to`: State::previous(). Errors: invalid, none of that number is kept; refused, it is in force, or there
    /// is none before. A revision that is not valid any more is a candidate that is not ok().
    Result<WayBack> way_back(std::optional<RevisionNumber> to);
    /// Saves, then puts in force, as apply().
    Result<> roll_back(const WayBack& back);

    /// A dynamic port whose NIC is on its way: Intent::hold and release.
    Result<> hold(const topology::Port& port, const std::string& uuid, const std::string& host) {
        return intent_.hold(port, uuid, host);
    }
    void release(const std::string& port) { intent_.release(port); }

    const Intent& intent() const { return intent_; }
    const std::map<std::string, HostAgent>& hosts() const { return hosts_; }
    const NextHops& next_hops() const { return next_hops_; }
    const AddressServices& services() const { return services_; }
    const Metrics& metrics() const { return metrics_; }
    const EventLog& events() const { return events_; }
    EventLog& events() { return events_; }
    Endpoint openflow_endpoint() const { return listener_->endpoint(); }
    /// Every host of the topology is synced at the current revision.
    bool converged() const;
    /// What apply() of a candidate would send to each host (controller/foresight).
    Foresight foresee(const Candidate& candidate) const;

  private:
    /// Measures how long revisions take to reach the hosts.
    Task<void> watch_spread();
    Task<void> accept();
    Task<void> greet(std::unique_ptr<Stream> stream);
    /// Takes back what nobody confirms.
    Task<void> await_confirmation();
    void take_back(const std::string& why);
    enum class Unsaved { refuse, go_on };
    Result<> put_in_force(const Candidate& candidate, State state, Unsaved unsaved);
    Result<> save_trial(const State& state);
    void tell_rollback(const WayBack& back, const std::string& why);
    Task<void> save_at_leisure();
    /// Renewed leases, now and then.
    Task<void> save_leases();
    Task<void> give_memory_back();
    /// Looks at the meters of the hosts' ports, now and then.
    Task<void> watch_meters();
    void publish(const Published& published);
    /// On the hosts that send to a gateway or translate for it, when another host became active.
    void forget_cached(const std::map<std::string, std::string>& active);
    /// Packets that the host's flows ask the daemon about.
    Task<void> serve_packets(std::string host, std::shared_ptr<openflow::Session> session);
    SendFrom sender();
    bool send(const std::string& host, const openflow::PacketOut& packet) const;
    /// Of a host of `world`'s topology.
    RowsAgent::Wanted wanted(const topology::Host& host, const fabric::World& world) const;
    /// Parts of foresee: of one host; its rows; what it would tell of ports that its rows under `next` make or remove
    /// (nothing: they make and remove none).
    HostForesight foresee(const std::string& name, const Intent& next) const;
    std::optional<ovsdb::RowCounts> rows_to_send(const std::string& name, const fabric::World& then) const;
    std::optional<fabric::Observation> numbered(const std::string& name, const Intent& next) const;
    void start_host(const topology::Host& host);
    /// Starts, feeds or ends what follows the libvirt of each host, when the topology in force changed.
    void offer_networks(const std::shared_ptr<const topology::Topology>& topology);
    void stop_host(const std::string& name);
    void leave_libvirt(const std::string& name, const std::shared_ptr<LibvirtAgent>& libvirt);
    void note_state(const std::string& name);
    void tell_state(const std::string& name);
    /// A host that is new to the daemon and has not come in time is down.
    Task<void> await_arrivals();
    Task<void> note_health(std::string name, HostState state);
    void refuse(const std::string& peer, const std::string& host, const std::string& text);

    asio::io_context& io_;
    Settings settings_;
    Log& log_;
    EventLog& events_;
    Voice voice_;
    StateStore store_;
    Intent intent_;
    Announcer announcer_;
    Neighbours neighbours_;
    NextHops next_hops_;
    PacketService packets_;
    LeaseBook leases_;
    AddressServices services_;
    RouterAdvertiser advertiser_;
    PortMeters meters_;
    Metrics metrics_;
    std::shared_ptr<asio::ssl::context> tls_;
    std::unique_ptr<Listener> listener_;
    std::map<std::string, HostAgent> hosts_;
    std::map<std::string, std::shared_ptr<RowsAgent>> leaving_; ///< being cleaned
    std::map<std::string, std::shared_ptr<LibvirtAgent>> leaving_libvirt_;
    std::shared_ptr<const topology::Topology> offered_; ///< whose networks libvirt is offered
    std::map<std::string, std::string> active_;         ///< gateway → the host that was active last
    std::map<std::string, std::uint64_t> trust_;        ///< host → how often it was away
    std::map<std::string, std::string> refused_;        ///< peer's address → why, as it was said last
    SteadyClock::time_point confirm_by_{};              ///< of the revision on trial
    Signal trial_;                                      ///< it began, goes on or ended
    std::optional<SteadyClock::time_point> applied_;    ///< of the revision that is on its way to the hosts
    Signal spread_;                                     ///< a revision came into force, or a host's state changed
    Signal save_;
    Signal synced_;   ///< a host became synced
    Signal ending_;   ///< stop() was called
    Signal arriving_; ///< a host is new to the daemon
    bool stopped_ = false;
};

} // namespace weft::controller
