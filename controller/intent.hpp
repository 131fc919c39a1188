// Intent: the topology in force and what was observed, turned into the published world. The door through which both
// enter: every change, an admin's or a host's, ends in one call of publish.
#pragma once
#include "controller/published.hpp"
#include "controller/settings.hpp"
#include "controller/state.hpp"
#include "fabric/bindings.hpp"
#include "fabric/host_rows.hpp"
#include "fabric/vm_ports.hpp"
#include "nat/active.hpp"
#include "topology/difference.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weft::controller {

/// A topology that may come into force: parsed, settings applied, numbers allocated.
struct Candidate {
    std::shared_ptr<const topology::Topology> written;  ///< as in the file
    std::shared_ptr<const topology::Topology> topology; ///< with the dynamic ports
    fabric::VmPorts vm_ports;
    topology::Allocations allocations;
    fabric::Neighbours neighbours;           ///< of networks that come back with a rollback
    std::vector<topology::Problem> problems; ///< an error among them: it may not
    std::vector<std::string> notices;        ///< what it asks for and cannot have
    bool ok() const;
};

class Intent {
  public:
    using Publish = std::function<void(const Published&)>;

    Intent(const Settings& settings, Voice voice, Publish publish);

    /// The state as loaded: the revision in force is parsed again, the stored holders are believed.
    Result<> restore(State state);
    const State& state() const { return state_; }

    /// `then`: what the objects of these sources are to have again, for a rollback.
    Candidate consider(const std::vector<topology::Source>& sources,
                       const std::optional<Recollection>& then = {}) const;
    /// A state with `candidate` as its newest revision: to be saved before commit(). With `confirm_by` it is on trial.
    State with_revision(const Candidate& candidate, std::string source, std::vector<topology::Source> sources,
                        std::optional<Timestamp> confirm_by = {}) const;
    /// The same for a candidate from the text of revision `to`, which is kept.
    State with_rollback(const Candidate& candidate, RevisionNumber to) const;
    /// Nothing but comments, order or places differs from what is in force.
    bool changes_nothing(const Candidate& candidate) const;
    /// `candidate` comes into force.
    void commit(const Candidate& candidate, State state);
    /// What is in force is told otherwise by `state`: confirmed, or longer on trial.
    void note_trial(const State& state);

    /// What a host's OVSDB says now.
    void observe(const std::string& host, const fabric::Observation& seen);
    /// What a host's libvirt says of its VMs now. An account that is not current keeps what was told before.
    void observe_vms(const std::string& host, fabric::HostVms told);
    /// The host has no libvirt any more.
    void forget_vms(const std::string& host);
    /// A guest spoke on an interface of the host where weft awaited it (a migration).
    void note_spoke(const std::string& host, std::uint32_t ofport);
    /// A dynamic port whose NIC is on its way: it stays until release(), whoever tells of the NIC. Errors (invalid): a
    /// port of that name is there; what stops the topology from holding it. The state wants to be saved.
    /// `uuid`: of the VM, on `host`.
    Result<> hold(topology::Port port, const std::string& uuid, const std::string& host);
    void release(const std::string& port);
    const std::map<std::string, fabric::HostVms>& vms() const { return told_; }
    /// What is not as the topology or libvirt wants it, by object: fabric::VmPorts.
    const std::map<std::string, std::string>& troubles() const { return troubles_; }
    /// Its OVSDB is not read any more: what it saw of others is old news.
    void lose(const std::string& host);
    /// It holds the flows it should, or not any more.
    void note_synced(const std::string& host, bool synced);
    /// What its switch has acknowledged, a world of this Intent's; told as often as one likes.
    void note_reached(const std::string& host, const Published& reached);
    /// Whether an address is one that others can have: in the network's subnet, and no port's, router's or gateway's.
    bool may_hear(const std::string& network, const Ip& ip) const;
    /// A next hop, or a neighbour that is known: whoever tells of it is heard, asked or not.
    bool awaits(const std::string& network, const Ip& ip) const;
    /// Somebody on a physical network said that it has an address. Costs a rebuild where that is news.
    void hear(const std::string& network, const Ip& ip, const Mac& mac);
    /// It does not answer any more.
    void forget(const std::string& network, const Ip& ip);
    /// Which hosts gateways' next hops do not answer, where they answer another.
    void note_unanswered(fabric::Unanswered unanswered);
    /// The daemon has lost the host for a while, or has it again: whether it may be the edge of routed networks.
    void note_absent(const std::string& host, bool absent);

    /// The guest of a port was told an address of its, or gave it back (nothing). `news`: to be saved soon; what is
    /// only renewed waits for leases_dirty().
    void note_lease(const topology::AttachmentKey& key, bool v6, std::optional<Lease> lease, bool news);
    /// The guest found its port's address in use by somebody else. True: the port has another one now; false for one
    /// that is written or made by SLAAC, and when the port may not change again yet.
    bool decline(const topology::AttachmentKey& key, const Ip& ip);

    /// The active host of each gateway, as far as the daemon can see; empty: none.
    const std::map<std::string, std::string>& active() const { return active_; }
    const nat::Health& health() const { return health_; }

    const Published& published() const { return published_; }
    const topology::Topology& topology() const { return *topology_; }
    const topology::Allocations& allocations() const { return state_.allocations; }
    /// Another number after each change of allocations().
    std::uint64_t allocated() const { return allocated_; }
    const fabric::ClaimTable& claims() const { return claims_; }
    const fabric::Bindings& bindings() const { return bindings_; }
    /// Which NIC is which port of a VM's.
    fabric::PortNics port_nics() const {
        return fabric::VmPorts{state_.dynamic_ports, state_.vm_nics, {}}.claimed_by();
    }
    fabric::Judgement judge() const { return claims_.judge(*topology_, port_nics()); }

    /// An Intent in which `candidate` has come into force, everything else as now: what it publishes nobody gets, what
    /// it says nobody hears. It is the very code of commit(), so that what a plan shows is what an apply does.
    Intent imagine(const Candidate& candidate) const;

    /// Set when state() changed by observation and wants to be saved at leisure.
    bool dirty() const { return dirty_; }
    /// Leases were renewed: to be saved now and then, for a guest may renew as often as it likes.
    bool leases_dirty() const { return leases_dirty_; }
    void saved() { dirty_ = leases_dirty_ = false; }
    /// What is in force could not be saved.
    void unsaved() { dirty_ = true; }

  private:
    /// The first half of commit(): what is remembered, and what is forgotten with hosts and networks that left.
    void adopt(const Candidate& candidate, State state);
    /// The second half: ports of VMs, and the world, anew.
    void rebuild_all();
    std::map<std::string, fabric::HostFacts> facts_under(const topology::Topology& topology) const;
    fabric::VmPorts vm_ports_under(const topology::Topology& written, const fabric::VmPorts& before) const;
    /// Ports of VMs anew; true when the topology in force or the MACs changed, and then `touched` says where.
    bool decide_vm_ports(fabric::Touched& touched);
    void tell_troubles(std::map<std::string, std::string> troubles);
    void rebuild(fabric::Touched touched);
    /// Allocations under what was observed; notes the networks in which somebody's address changed.
    void reallocate(fabric::Touched& touched);
    /// Leases of addresses that their ports do not have any more.
    void drop_leases();
    void tell(const std::vector<std::string>& rebound, const fabric::Bindings& before,
              const fabric::Bindings& after) const;
    void store_holders(const std::vector<std::string>& rebound);
    /// True when a host went out of service for gateways, or came back.
    bool judge_services();
    /// Who has become ready with `next`, or is not any more: true when that changed. An edit takes effect in one step, as
    /// its plan says: nobody returns with it.
    bool note_returning(const fabric::World& next, bool edited);
    /// Tells where gateways are active, when that changed.
    bool look_at_gateways();
    bool note_dead_links(const std::string& host, const std::set<std::string>& physnets);

    const Settings& settings_;
    Voice voice_;
    Publish publish_;
    State state_;
    std::shared_ptr<const topology::Topology> written_ = std::make_shared<topology::Topology>();
    std::shared_ptr<const topology::Topology> topology_ = written_; ///< with the dynamic ports
    std::map<std::string, fabric::HostVms> told_;                   ///< by host
    std::set<std::string> held_;                                    ///< dynamic ports whose NIC is on its way
    std::map<std::string, std::string> troubles_;
    bool ports_changed_ = false; ///< since the last allocation
    fabric::ClaimTable claims_;
    fabric::Bindings bindings_;
    topology::ObservedMacs macs_;
    std::map<std::string, fabric::HostFacts> facts_; ///< as observed
    nat::Health health_;
    std::map<std::string, std::string> active_;
    std::map<fabric::Returning::value_type, std::uint64_t> returned_in_; ///< of those returning: Published::number
    std::map<std::string, std::set<std::string>> open_; ///< host → gateways that its switch translates for, acknowledged
    std::map<topology::AttachmentKey, SteadyClock::time_point> declined_; ///< when its guest declined last
    Published published_;
    std::uint64_t allocated_ = 0;
    bool dirty_ = false;
    bool leases_dirty_ = false;
};

} // namespace weft::controller
