// The daemon's state as a value, and its form in the store: the topology's revisions, allocations, dynamic ports and
// the observations that flows depend on. Nothing else is kept: all the rest is read back from the hosts.
//
// In the store: blob "state" is JSON with everything but the revisions' texts; blob "revision-N" holds the text of one
// revision and is written once. So a change of a binding writes kilobytes, however long the history is. Blob
// "allocated-N" is what the objects of revision N had when another took its place.
#pragma once
#include "base/result.hpp"
#include "controller/store.hpp"
#include "controller/timestamp.hpp"
#include "fabric/vm_ports.hpp"
#include "fabric/world.hpp"
#include "topology/allocate.hpp"
#include "topology/model.hpp"
#include "topology/parse.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace weft::controller {

using RevisionNumber = std::uint64_t; ///< from 1, never reused

enum class RevisionState {
    in_force,
    superseded,       ///< a newer one took its place
    awaiting_confirm, ///< applied with a deadline that still runs
    rolled_back,      ///< taken back, by hand or by a deadline
};
std::string_view name_of(RevisionState state);

struct Revision {
    RevisionNumber number = 0;
    Timestamp time;
    std::string source; ///< what the admin named: "demo.toml"
    RevisionState state = RevisionState::in_force;
    std::vector<topology::Source> sources;
    RevisionNumber restores = 0; ///< of a rollback: the revision that came back as this one; else 0
    bool operator==(const Revision&) const = default;
};

/// The revision in force is on trial, by `apply --confirm-within`.
struct Awaiting {
    Timestamp until;
    RevisionNumber back_to = 0; ///< what was in force before the first revision on trial
    bool operator==(const Awaiting&) const = default;
};

inline constexpr std::size_t kMaxRevisions = 50;

/// What a guest was told last by DHCP or DHCPv6. For people to see: the address is its port's with a lease or without.
struct Lease {
    Ip ip;
    Timestamp since, until;
    std::string host_name; ///< what the guest calls itself
    bool operator==(const Lease&) const = default;
};
/// Of a port in a network.
struct Leases {
    std::optional<Lease> ip, ip6;
    bool operator==(const Leases&) const = default;
};

/// What the objects of a revision had, beside its text, when another revision took its place. A rollback gives it back
/// (controller/recollection): the text alone would be given other numbers and addresses where they were taken since.
struct Recollection {
    topology::Allocations allocations;
    std::map<std::string, fabric::DynamicPort> dynamic_ports;
    fabric::PortNics vm_nics;
    fabric::Neighbours neighbours;
    bool operator==(const Recollection&) const = default;
};

struct State {
    RevisionNumber current = 0;       ///< 0: none yet
    RevisionNumber last_number = 0;   ///< the highest ever given
    std::vector<Revision> revisions;  ///< ascending by number
    std::optional<Awaiting> awaiting; ///< `current` is on trial
    topology::Allocations allocations;
    std::map<std::string, fabric::DynamicPort> dynamic_ports; ///< from `attach` or a NIC on a weft libvirt network
    fabric::PortNics vm_nics;                                 ///< of the file's ports with `vm`: libvirt's word
    std::map<std::string, std::string> holders;               ///< port → the host whose claim to it stands
    std::map<topology::AttachmentKey, Leases> leases;
    fabric::Learnt learnt;
    bool operator==(const State&) const = default;

    const Revision* find(RevisionNumber number) const;
    /// Appends the next revision, in force, the one before superseded and no longer on trial; drops the oldest beyond
    /// kMaxRevisions. With `confirm_by` the new one is on trial: without confirm() what was in force before any trial
    /// is to come back.
    Revision& add_revision(std::string source, std::vector<topology::Source> sources, Timestamp time,
                           std::optional<Timestamp> confirm_by = {});
    /// The revision on trial stays.
    void confirm();
    /// Appends the text of a revision that is kept as the next one, in force. What it takes the place of is rolled
    /// back: all that is on trial, else the revision in force.
    Revision& roll_back(RevisionNumber to, Timestamp time);
    /// What a rollback goes to that names no revision: what was in force before the trial, else before the revision in
    /// force. Revisions that were rolled back are passed over, so one rollback after another goes back step by step.
    /// Null: there is none.
    const Revision* previous() const;
    Recollection recollection() const { return {allocations, dynamic_ports, vm_nics, learnt.neighbours}; }
};

/// The "state" blob. decode() gives revisions without `sources`.
std::string encode(const State& state);
Result<State> decode(std::string_view text);

/// An "allocated-N" blob: a "state" blob without revisions.
std::string encode(const Recollection& recollection);
Result<Recollection> decode_recollection(std::string_view text);

/// A "revision-N" blob.
std::string encode_sources(const std::vector<topology::Source>& sources);
Result<std::vector<topology::Source>> decode_sources(std::string_view text);

class StateStore {
  public:
    explicit StateStore(Store& store) : store_(store) {}

    struct Loaded {
        State state;
        std::vector<std::string> notices; ///< what was damaged and what was done about it
    };
    /// The defaults if nothing was saved. A past revision that cannot be read is dropped with a notice; the current
    /// one cannot be missed: an error.
    Result<Loaded> load();
    /// All or nothing, as Store::save.
    Result<> save(const State& state);

    /// What revision `number` had: written with the next save, of which it is a part.
    void remember(RevisionNumber number, Recollection recollection);
    /// Nothing if it never was remembered. An error if it cannot be read.
    Result<std::optional<Recollection>> recall(RevisionNumber number);

  private:
    Result<> save_texts(const State& state, std::set<RevisionNumber>& fresh);

    Store& store_;
    std::map<RevisionNumber, Recollection> unwritten_; ///< remembered, and not in the store yet
    std::set<RevisionNumber> written_;                 ///< revision blobs in the store
    std::set<RevisionNumber> named_; ///< those the "state" blob names: its version before may still need them
};

} // namespace weft::controller
