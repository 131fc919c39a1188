// The flows of each stage, one .cpp a stage or a pair of them. Suffixes say which unit a function belongs to:
//   _host        the host itself: defaults and drops, uplinks and tunnels
//   _peer        another host that shares a vxlan network with this one
//   _network     a network that is present on the host
//   _attachment  a port in such a network, plugged in here or elsewhere
//   _router      a router of such a network, or behind a gateway that may be active here
//   _gateway     a gateway of such a router (most of its flows are nat/'s)
//   _zone        a zone of the connection tracker that is in use here
//   _group       a security group of local ports
#pragma once
#include "fabric/emit.hpp"

namespace weft::fabric {

void classify_host(Emit& emit);
void classify_peer(Emit& emit, const Ip& vtep);
void classify_watched(Emit& emit, const Ip& vtep);
void classify_network(Emit& emit, const NetworkCore& network);
void classify_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment);

void guard_host(Emit& emit);
void guard_peer(Emit& emit, const Ip& vtep);
void guard_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment);

void respond_host(Emit& emit);
void respond_network(Emit& emit, const NetworkCore& network);
void respond_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment);

void filter_host(Emit& emit);
void filter_network(Emit& emit, const NetworkCore& network);

void nat_in_host(Emit& emit);

/// track and state.
void track_host(Emit& emit);
void track_zone(Emit& emit, const ZoneView& zone);

/// egress_groups and ingress_groups.
void groups_host(Emit& emit);
void groups_attachment(Emit& emit, const Attachment& attachment);
/// egress_rules and ingress_rules.
void rules_group(Emit& emit, const HostGroup& group);

void route_host(Emit& emit);
void route_router(Emit& emit, const RouterView& router);
void route_gateway(Emit& emit, const nat::Gateway& gateway);

void nexthop_host(Emit& emit);
void nexthop_router(Emit& emit, const RouterView& router);
void nexthop_gateway(Emit& emit, const nat::Gateway& gateway);
void nexthop_network(Emit& emit, const NetworkView& view);
void nexthop_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment);

void switch_host(Emit& emit);
void switch_network(Emit& emit, const NetworkView& view);
void switch_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment);
/// From here to an attachment: a local port or, by tunnel, its host. Empty when there is no way.
of::Actions way_to(const Emit& emit, const NetworkCore& network, const Attachment& attachment);

void commit_host(Emit& emit);
void commit_zone(Emit& emit, const ZoneView& zone);

void nat_out_host(Emit& emit);
void nat_out_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment);

void output_host(Emit& emit);
void output_network(Emit& emit, const NetworkCore& network);
void output_attachment(Emit& emit, const Attachment& attachment);

} // namespace weft::fabric
