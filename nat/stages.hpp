// The flows of a gateway in the stages respond, nat_in, nexthop and nat_out (docs/pipeline.md), and its fast-failover
// groups. Who is active is decided by the switches: a group's first bucket whose BFD session or uplink lives.
#pragma once
#include "nat/gateway.hpp"
#include "pipeline/sink.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace weft::nat {

/// What a host knows of itself that a gateway's flows depend on.
struct Site {
    std::string host;
    std::uint32_t uplink = 0;            ///< ofport of the gateway's physical network here; 0: none
    std::map<Ip, std::uint32_t> watched; ///< other hosts' VTEP → ofport of the BFD session with them
    bool nd_ext = false;                 ///< the datapath can make neighbour advertisements
    bool translating = false;            ///< it may translate for some gateway of the same public network
    bool is_candidate(const Gateway& gateway) const { return uplink != 0 && gateway.rank(host).has_value(); }
    bool operator==(const Site&) const = default;
};

/// From other hosts, by the gateway's transit VNI.
void classify_gateway(pipeline::Sink& sink, const Gateway& gateway, const Site& here);

/// What nat_in let in and is for no port here passes track.
void track_gateway(pipeline::Sink& sink, const Gateway& gateway, const Site& here);

/// Sends what is routed to the gateway to the active host, once its connection is committed: all hosts of its routers.
void commit_gateway(pipeline::Sink& sink, const Gateway& gateway, const Site& here);

/// Answers ARP and ND for public addresses: candidates toward the wire while active, and to local ports.
void respond_gateway(pipeline::Sink& sink, const Gateway& gateway, const Site& here);

/// From outside, or a local port of the public network, to a public address that is active here.
void nat_in_gateway(pipeline::Sink& sink, const Gateway& gateway, const Site& here);

/// From inside: translated, and sent on its way on the public network.
void nat_out_gateway(pipeline::Sink& sink, const Gateway& gateway, const Site& here);

} // namespace weft::nat
