// The daemon's state as a value, and its form in the store: the topology's revisions, allocations, dynamic ports and
// the observations that flows depend on. Nothing else is kept: all the rest is read back from the hosts.
//
// In the store: blob "state" is JSON with everything but the revisions' texts; blob "revision-N" holds the text of one
// revision and is written once. So a change of a binding writes kilobytes, however long the history is.
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
    bool operator==(const Revision&) const = default;
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

struct State {
    RevisionNumber current = 0;      ///< 0: none yet
    RevisionNumber last_number = 0;  ///< the highest ever given
    std::vector<Revision> revisions; ///< ascending by number
    topology::Allocations allocations;
    std::map<std::string, fabric::DynamicPort> dynamic_ports; ///< from `attach` or a NIC on a weft libvirt network
    fabric::PortNics vm_nics;                                 ///< of the file's ports with `vm`: libvirt's word
    std::map<std::string, std::string> holders;               ///< port → the host whose claim to it stands
    std::map<topology::AttachmentKey, Leases> leases;
    fabric::Learnt learnt;
    bool operator==(const State&) const = default;

    const Revision* find(RevisionNumber number) const;
    /// Appends the next revision, in force, the one before superseded; drops the oldest beyond kMaxRevisions.
    Revision& add_revision(std::string source, std::vector<topology::Source> sources, Timestamp time);
};

/// The "state" blob. decode() gives revisions without `sources`.
std::string encode(const State& state);
Result<State> decode(std::string_view text);

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

  private:
    Store& store_;
    std::set<RevisionNumber> written_; ///< revision blobs in the store
    std::set<RevisionNumber> named_;   ///< those the "state" blob names: its version before may still need them
};

} // namespace weft::controller
