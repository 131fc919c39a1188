// Bindings: which port is plugged in where, decided from what hosts claim. Fed by each host's OVSDB (its bridge's
// interfaces); feeds World. The rules are docs/topology.md's: iface-id is the port's name, else attached-mac is the
// port's MAC; of two claims the newest wins; at a daemon's start the stored holder stays if its claim still stands.
#pragma once
#include "base/address.hpp"
#include "fabric/world.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weft::fabric {

/// One interface of a weft bridge that says it is a port.
struct Claim {
    std::string interface;
    std::string iface_id;            ///< external_ids:iface-id, may be empty
    std::optional<Mac> attached_mac; ///< external_ids:attached-mac
    std::uint32_t ofport = 0;        ///< 0: not in the datapath (yet, or while vswitchd is away)
    std::string error;               ///< Interface.error
    bool operator==(const Claim&) const = default;
};

/// A claim to a port, judged.
struct JudgedClaim {
    std::string host;
    Claim claim;
    bool holds = false; ///< false: a duplicate
};

using Judgement = std::map<std::string, std::vector<JudgedClaim>>; ///< by port name; the holder's claim first

/// The claims that hold.
Bindings winners(const Judgement& judgement);

class ClaimTable {
  public:
    /// A port's holder as stored by the daemon before this one: believed until that host has been observed.
    void expect(const std::string& port, const std::string& host);

    /// All claims of a host as they are now. True when anything differs from what was known.
    bool observe(const std::string& host, const std::vector<Claim>& claims);

    /// The host left the topology.
    void forget(const std::string& host);

    /// Bindings and duplicates by port name. Claims that name no port of the topology are kept, not judged.
    Judgement judge(const topology::Topology& topology) const;

    Bindings bindings(const topology::Topology& topology) const { return winners(judge(topology)); }

    bool observed(const std::string& host) const { return claims_.contains(host); }

  private:
    struct Standing {
        Claim claim;
        std::uint64_t since = 0; ///< order of appearance; 0: was there at the daemon's first look
    };
    std::map<std::string, std::map<std::string, Standing>> claims_; ///< host → interface → claim
    std::map<std::string, std::string> expected_;                   ///< port → host
    std::uint64_t clock_ = 0;
};

} // namespace weft::fabric
