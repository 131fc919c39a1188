// libvirt networks and bridges as networks and routers of a draft. Pure.
#pragma once
#include "cli/import_draft.hpp"
#include "cli/import_sources.hpp"

#include <deque>
#include <map>
#include <set>

namespace weft::cli {

class Networks {
  public:
    Networks(Draft& draft, Names& names) : draft_(draft), names_(names) {}

    void add(LibvirtNetwork given);
    /// When all networks are there: routes, which must not overlap them.
    void add_routes();
    /// When all NICs are there: the host's ways onto the bridges.
    void add_uplinks();

    const LibvirtNetwork* find(const std::string& libvirt_name) const;
    const LibvirtNetwork* of_bridge(const std::string& bridge) const;
    /// The draft's network that stands for one of libvirt; null if it has none.
    topology::Network* drafted(const LibvirtNetwork& network);
    Drafted<topology::Network>* drafted_with_comments(const LibvirtNetwork& network);
    /// The name of the segment of a bridge with that tag, 0: untagged. Made if it is not there, named `wanted` if it is
    /// not empty.
    std::string segment(const std::string& bridge, std::uint16_t vlan, const std::string& wanted = {});
    void is_openvswitch(const std::string& bridge) { openvswitch_.insert(bridge); }
    /// The router that lists the network; null: none.
    const topology::Router* router_of(const std::string& network) const;
    bool translates(const topology::Router& router) const { return translating_.contains(router.name); }
    /// A subnet or static route of a router covers part of it.
    bool routed(const Prefix& prefix) const;
    const std::deque<LibvirtNetwork>& all() const { return sources_; }

  private:
    void add_bridged(const LibvirtNetwork& network);
    void add_virtual(const LibvirtNetwork& source);
    void serve(const LibvirtNetwork& source, topology::Network& network, std::vector<std::string>& comments);
    void add_ranges(const LibvirtSubnet& subnet, topology::Network& network);
    void add_to_router(const LibvirtNetwork& source, const topology::Network& network);
    void lose(const LibvirtNetwork& network, std::string_view what);

    Draft& draft_;
    Names& names_;
    std::deque<LibvirtNetwork> sources_;                                    ///< a deque: pointers into it stay
    std::map<std::string, std::size_t> index_;                              ///< by libvirt's name, into draft_.networks
    std::map<std::string, std::string> physnets_;                           ///< by bridge
    std::map<std::pair<std::string, std::uint16_t>, std::string> segments_; ///< by bridge and tag
    std::set<std::string> openvswitch_;                                     ///< bridges
    std::set<std::string> translating_;                                     ///< routers
};

/// `ip` may be a host's in `subnet`.
bool fits(const Ip& ip, const Prefix& subnet);

} // namespace weft::cli
