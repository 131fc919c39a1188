// Bindings: which port is plugged in where, decided from what hosts claim. Fed by each host's OVSDB (its bridge's
// interfaces) and by which VMs libvirt says run there; feeds World. The rules are docs/topology.md's: iface-id is the
// port's name, else attached-mac is the port's MAC, which the topology names or libvirt told (fabric/vm_ports); of two
// claims the newest wins; at a daemon's start the stored holder stays if its claim still stands. While the same VM has
// an interface on two hosts it migrates: the newer claim arrives, and counts once the guest speaks there or libvirt
// says that it runs there.
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
    std::string vm_id;               ///< external_ids:vm-id: the UUID of libvirt's domain, may be empty
    std::string profile;             ///< external_ids:port-profile, may be empty
    bool operator==(const Claim&) const = default;
};

/// The NIC that is a port of a VM's, as libvirt tells. With an empty UUID any VM's NIC with that MAC is.
struct PortNic {
    Mac mac;
    std::string uuid; ///< of the VM: external_ids:vm-id
    bool operator==(const PortNic&) const = default;
};
using PortNics = std::map<std::string, PortNic>; ///< by port name

/// A claim to a port, judged.
struct JudgedClaim {
    std::string host;
    Claim claim;
    bool holds = false;    ///< false: a duplicate, unless
    bool arriving = false; ///< its VM is migrating to there
};

using Judgement = std::map<std::string, std::vector<JudgedClaim>>; ///< by port name; the holder's claim first

/// The claims that hold, and who is arriving.
Bindings winners(const Judgement& judgement);

class ClaimTable {
  public:
    /// A port's holder as stored by the daemon before this one: believed until that host has been observed.
    void expect(const std::string& port, const std::string& host);

    /// All claims of a host as they are now. True when anything differs from what was known.
    bool observe(const std::string& host, const std::vector<Claim>& claims);

    /// The UUIDs of the VMs that libvirt says run on a host, those that are still migrating there left out. True when a
    /// claim has arrived by that.
    bool note_running(const std::string& host, std::set<std::string> vms);

    /// A guest spoke on an interface of the host. True when its claim was arriving.
    bool note_spoke(const std::string& host, std::uint32_t ofport);

    /// The host left the topology.
    void forget(const std::string& host);

    /// Bindings and duplicates by port name. Claims that name no port of the topology are kept, not judged. `nics`: of
    /// ports of VMs; another VM's interface with the MAC of one of these is none of its claims.
    Judgement judge(const topology::Topology& topology, const PortNics& nics = {}) const;

    Bindings bindings(const topology::Topology& topology, const PortNics& nics = {}) const {
        return winners(judge(topology, nics));
    }

    bool observed(const std::string& host) const { return claims_.contains(host); }
    /// A host's claims, in the order of their interfaces' names.
    std::vector<Claim> claims_of(const std::string& host) const;

  private:
    struct Standing {
        Claim claim;
        std::uint64_t since = 0; ///< order of appearance; 0: was there at the daemon's first look
        bool arriving = false;   ///< the same VM had an interface with this MAC on another host when it appeared
    };
    /// An interface of the same VM with the same MAC on another host.
    std::vector<Standing*> twins(const std::string& host, const Claim& claim);
    bool runs(const std::string& host, const Claim& claim) const;
    /// Claims that wait for their guest, and need not any more.
    bool settle();

    std::map<std::string, std::map<std::string, Standing>> claims_; ///< host → interface → claim
    std::map<std::string, std::string> expected_;                   ///< port → host
    std::map<std::string, std::set<std::string>> running_;          ///< host → UUIDs of VMs
    std::uint64_t clock_ = 0;
};

} // namespace weft::fabric
