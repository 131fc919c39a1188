#include "controller/trace_words.hpp"

#include "pipeline/fields.hpp"
#include "pipeline/stages.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weft::controller {
namespace {

using fabric::End;
using openflow::Field;
using openflow::Packet;
using openflow::source_of;
using openflow::target_of;
using pipeline::Reason;
using pipeline::Stage;

std::uint16_t number(const Packet& packet, Field field) {
    return static_cast<std::uint16_t>(packet.get(field));
}

/// "tcp/81", "icmp".
std::string service_of(const Packet& packet) {
    switch (static_cast<std::uint8_t>(packet.get(Field::ip_proto))) {
    case openflow::ip_proto::kTcp:
        return fmt::format("tcp/{}", number(packet, Field::tcp_dst));
    case openflow::ip_proto::kUdp:
        return fmt::format("udp/{}", number(packet, Field::udp_dst));
    case openflow::ip_proto::kSctp:
        return fmt::format("sctp/{}", number(packet, Field::sctp_dst));
    case openflow::ip_proto::kIcmp:
        return "icmp";
    case openflow::ip_proto::kIcmpv6:
        return "icmpv6";
    default:
        return fmt::format("protocol {}", number(packet, Field::ip_proto));
    }
}

/// The service of a connection that the packet is of: of an answer, what was asked for.
std::string connection_of(const Packet& packet) {
    if ((packet.get(Field::ct_state) & openflow::ct::kRpl) == 0) return service_of(packet);
    return fmt::format("an answer of {}", service_of(packet));
}

std::string_view question(pipeline::Punt punt) {
    using pipeline::Punt;
    switch (punt) {
    case Punt::ttl_expired:
        return "ICMP time exceeded";
    case Punt::no_route:
    case Punt::no_neighbour:
    case Punt::port_unreachable:
        return "ICMP unreachable";
    case Punt::too_big:
        return "ICMP too big, or fragments";
    case Punt::neighbour:
        return "it keeps the neighbour's MAC";
    case Punt::solicitation:
        return "the advertisement";
    case Punt::snat_exhausted:
        return "an event";
    case Punt::service:
        return "addresses and names";
    case Punt::arrived:
        return "the port moves here";
    }
    return "";
}

/// "security_group/web" → "security_group web": as a sentence says it.
std::string spoken(std::string object) {
    if (const auto slash = object.find('/'); slash != std::string::npos) object[slash] = ' ';
    return object;
}

} // namespace

std::string TraceWords::packet(const Packet& packet) {
    return fmt::format("{} from {} to {}", service_of(packet), source_of(packet).to_string(),
                       target_of(packet).to_string());
}

const openflow::Flow* TraceWords::decider(const End& end) const {
    const auto way = walk_.way_to(end);
    for (auto at = way.rbegin(); at != way.rend(); ++at)
        if (const auto* visited = std::get_if<openflow::Visited>(&walk_.step(*at).what)) return visited->flow;
    return nullptr;
}

std::string TraceWords::changes(const Packet& before, const Packet& after) const {
    std::vector<std::string> said;
    const auto named = [&](std::string_view word, Field field) {
        if (before.get(field) != after.get(field))
            said.push_back(fmt::format("{} := {}", word, names_.value(field, after.get(field))));
    };
    named("network", pipeline::kNetwork);
    named("from", pipeline::kSource);
    named("to", pipeline::kDestination);
    named("router", pipeline::kRouter);
    named("connection", pipeline::kConnection);
    for (const auto& [word, field] : {std::pair{"source MAC", Field::eth_src}, std::pair{"target MAC", Field::eth_dst}})
        if (before.get(field) != after.get(field))
            said.push_back(
                fmt::format("{} := {}", word, Mac::from_u64(static_cast<std::uint64_t>(after.get(field))).to_string()));
    if (source_of(before) != source_of(after)) said.push_back("source := " + source_of(after).to_string());
    if (target_of(before) != target_of(after)) said.push_back("target := " + target_of(after).to_string());
    for (const auto& [word, field] :
         {std::pair{"source port", Field::tcp_src}, std::pair{"target port", Field::tcp_dst},
          std::pair{"source port", Field::udp_src}, std::pair{"target port", Field::udp_dst},
          std::pair{"TTL", Field::ip_ttl}})
        if (before.get(field) != after.get(field)) said.push_back(fmt::format("{} := {}", word, number(after, field)));
    return fmt::format("{}", fmt::join(said, ", "));
}

std::string TraceWords::sent(const std::string& host, const openflow::Sent& sent, const Packet& packet) const {
    const auto view = world_.hosts.find(host);
    if (view == world_.hosts.end()) return fmt::format("out of ofport {}", sent.port);
    const auto& facts = view->second->facts;
    const bool watched =
        std::ranges::any_of(facts.watched, [&](const auto& session) { return session.second == sent.port; });
    if (sent.port == facts.vxlan_ofport || watched) {
        for (const auto& [name, peer] : world_.hosts)
            if (peer->facts.vtep && openflow::bits(*peer->facts.vtep) ==
                                        packet.get(peer->facts.vtep->is_v6() ? Field::tun_ipv6_dst : Field::tun_dst))
                return fmt::format("by tunnel to {}, VNI {}", name,
                                   static_cast<std::uint32_t>(packet.get(Field::tun_id)));
        return "by tunnel to an unknown VTEP";
    }
    const auto vid = static_cast<std::uint16_t>(packet.get(Field::vlan_tci) & 0xfff);
    const auto tagged = vid == 0 ? std::string() : fmt::format(", VLAN {}", vid);
    for (const auto& [physnet, uplink] : facts.uplinks)
        if (uplink == sent.port) return fmt::format("onto {}{}", physnet, tagged);
    for (const auto& [_, network] : view->second->networks)
        for (const auto& [port, attachment] : network->bound)
            if (attachment->binding.host == host && attachment->binding.ofport == sent.port)
                return fmt::format("out to {}{}", port, tagged);
    return fmt::format("out of ofport {}{}", sent.port, tagged);
}

/// What came of the flow at way[at], until the next one.
std::string TraceWords::happened(const End& end, const std::vector<Place>& way, std::size_t at) const {
    const auto& here = walk_.step(way[at]);
    std::vector<std::string> said;
    const auto* after = &here.packet;
    auto next = at + 1;
    for (; next < way.size() && way[next].first == way[at].first; ++next) {
        const auto& step = walk_.step(way[next]);
        after = &step.packet;
        if (std::holds_alternative<openflow::Visited>(step.what)) break;
        if (const auto* tracked = std::get_if<openflow::Tracked>(&step.what)) {
            const auto state = static_cast<std::uint32_t>(step.packet.get(Field::ct_state));
            const auto* known = (state & openflow::ct::kInv) != 0   ? "invalid"
                                : (state & openflow::ct::kEst) != 0 ? "established"
                                                                    : "new";
            said.push_back(fmt::format("connection {} in zone {}{}{}", known, tracked->zone,
                                       (state & openflow::ct::kRpl) != 0 ? ", an answer" : "",
                                       tracked->action->commit ? ", committed" : ""));
        } else if (const auto* grouped = std::get_if<openflow::Grouped>(&step.what)) {
            if (grouped->group->type == openflow::GroupType::fast_failover)
                said.emplace_back(grouped->bucket == nullptr ? "no candidate lives"
                                  : grouped->bucket->actions.empty()
                                      ? "another candidate is before this host"
                                      : fmt::format("candidate {} of {}",
                                                    grouped->bucket - grouped->group->buckets.data() + 1,
                                                    grouped->group->buckets.size()));
            else if (grouped->group->type == openflow::GroupType::all)
                said.emplace_back("a copy");
        } else if (const auto* out = std::get_if<openflow::Sent>(&step.what)) {
            said.push_back(sent(walk_.passages[way[next].first].host, *out, step.packet));
        } else if (const auto* none = std::get_if<openflow::NoGroup>(&step.what)) {
            said.push_back(fmt::format("group {} is not there", none->id));
        } else if (std::holds_alternative<openflow::Punted>(step.what)) {
            said.emplace_back("to weftd");
        } else if (std::holds_alternative<openflow::NotSentBack>(step.what)) {
            said.emplace_back("not sent back where it came from");
        } else if (std::holds_alternative<openflow::TtlExpired>(step.what)) {
            said.emplace_back("TTL expired");
        } else if (std::holds_alternative<openflow::TooDeep>(step.what)) {
            said.emplace_back("too many tables");
        }
    }
    if (auto changed = changes(here.packet, *after); !changed.empty()) said.insert(said.begin(), std::move(changed));
    const bool last = next == way.size();
    if (last && end.kind == End::Kind::drop)
        said.push_back(end.reason == Reason::none ? "drop" : fmt::format("drop {}", pipeline::name_of(end.reason)));
    return said.empty() ? "passes" : fmt::format("{}", fmt::join(said, ", "));
}

std::vector<TraceStep> TraceWords::path(const End& end) const {
    const auto way = walk_.way_to(end);
    std::vector<TraceStep> path;
    for (std::size_t at = 0; at < way.size(); ++at) {
        const auto& step = walk_.step(way[at]);
        const auto* visited = std::get_if<openflow::Visited>(&step.what);
        if (visited == nullptr) continue;
        TraceStep said{.host = walk_.passages[way[at].first].host, .table = visited->table};
        if (visited->flow != nullptr) {
            said.object = names_.owner(visited->flow->cookie);
            said.source = names_.source(visited->flow->cookie);
            said.match = names_.match(visited->flow->match);
            said.flow_actions = names_.actions(visited->flow->actions);
        }
        said.action = happened(end, way, at);
        path.push_back(std::move(said));
    }
    return path;
}

/// The groups whose rules allow nothing of the kind: all of the port's that was to send or get the packet.
void TraceWords::blame_groups(bool ingress, const Packet& packet, TraceVerdict& verdict) const {
    // Of an answer the other end's groups were asked: it is judged as the request is.
    const bool answer = (packet.get(Field::ct_state) & openflow::ct::kRpl) != 0;
    const auto id = packet.get(ingress != answer ? pipeline::kDestination : pipeline::kSource);
    const auto owner = names_.value(pipeline::kDestination, id);
    const auto port = world_.topology->ports.find(owner.substr(0, owner.find('@')));
    if (port == world_.topology->ports.end() || port->second.security_groups.empty()) return;
    const auto& groups = port->second.security_groups;
    verdict.by = fmt::format("security_group/{}", fmt::join(groups, ","));
    if (const auto group = world_.topology->security_groups.find(groups.front());
        group != world_.topology->security_groups.end())
        verdict.source = line_of(group->second.origin);
}

/// Whose flow turned the packet round: the last before output.
void TraceWords::blame_answerer(const End& end, TraceVerdict& verdict) const {
    for (const auto& place : walk_.way_to(end)) {
        const auto* visited = std::get_if<openflow::Visited>(&walk_.step(place).what);
        if (visited == nullptr || visited->flow == nullptr ||
            visited->table == pipeline::table_of(pipeline::Stage::output))
            continue;
        verdict.by = names_.owner(visited->flow->cookie);
        verdict.source = names_.source(visited->flow->cookie);
    }
}

/// Whose absence makes a packet one for nobody: it is the gateway's before it is the target's.
std::string TraceWords::who_lacks(const End& end, const std::string& target, const std::string& by) const {
    const auto* flow = decider(end);
    const auto is_in = [flow](Stage stage) { return flow != nullptr && flow->table == pipeline::table_of(stage); };
    if (is_in(Stage::commit)) return fmt::format("no host of {} can be active", spoken(by));
    if (is_in(Stage::nat_out)) return "the next hop has not answered";
    return fmt::format("nobody is known to have {}", target);
}

std::string TraceWords::why(const End& end, const Packet& packet, TraceVerdict& verdict) const {
    const auto to = target_of(packet).to_string();
    switch (end.reason) {
    case Reason::group_egress:
    case Reason::group_ingress: {
        const bool ingress = end.reason == Reason::group_ingress;
        blame_groups(ingress, packet, verdict);
        return fmt::format("no {} rule allows {} {} {}", ingress ? "ingress" : "egress", connection_of(packet),
                           ingress ? "from" : "to", ingress ? source_of(packet).to_string() : to);
    }
    case Reason::acl:
        return fmt::format("its ACL denies {} from {} to {}", service_of(packet), source_of(packet).to_string(), to);
    case Reason::no_route:
        return fmt::format("there is no route to {}", to);
    case Reason::no_neighbour:
        return who_lacks(end, to, verdict.by);
    case Reason::unknown_destination:
        return fmt::format("nobody has {} there", to);
    case Reason::ct_invalid:
        return "the connection tracker calls the packet invalid: it belongs to no connection that it knows";
    case Reason::ttl_expired:
        return "its TTL is used up";
    case Reason::too_big:
        return "it is larger than the next network's MTU";
    case Reason::snat_exhausted:
        return "no public address and port is free";
    case Reason::spoofed_mac:
    case Reason::spoofed_ip:
    case Reason::spoofed_arp:
    case Reason::spoofed_nd:
        return "its source is not the port's own";
    case Reason::rogue_dhcp:
    case Reason::rogue_ra:
        return "ports serve no addresses";
    case Reason::double_tag:
    case Reason::unexpected_vlan:
        return "no network has this VLAN tag there";
    case Reason::unknown_vtep:
        return "its VXLAN sender is no host that shares a network";
    case Reason::to_vtep:
        return fmt::format("{} is a host's VXLAN address", to);
    case Reason::unbound:
        return "its port is not plugged in";
    case Reason::new_connection_rate:
    case Reason::punt_limit:
    case Reason::rate:
        return "a meter's rate is used up";
    case Reason::none:
        break;
    }
    return end.kind == End::Kind::standby ? "no candidate for the gateway takes it" : "no flow sends it on";
}

TraceVerdict TraceWords::verdict(const fabric::Outcome& outcome) const {
    using Verdict = fabric::Outcome::Verdict;
    const auto& end = *outcome.end;
    TraceVerdict verdict;
    verdict.at = end.host;
    const bool entered = end.passage < walk_.passages.size() && end.step < walk_.passages[end.passage].steps.size();
    const auto& packet = entered ? walk_.passages[end.passage].steps[end.step].packet : probe_.packet;
    if (const auto* flow = entered ? decider(end) : nullptr) {
        verdict.by = names_.owner(flow->cookie);
        verdict.source = names_.source(flow->cookie);
    }
    switch (outcome.verdict) {
    case Verdict::delivered:
        verdict.verdict = "delivered";
        if (outcome.answered) {
            blame_answerer(end, verdict);
            verdict.text = fmt::format("answered by {} in the switch of {}", spoken(verdict.by), end.host);
        } else if (end.kind == End::Kind::wire)
            verdict.text = fmt::format("delivered: leaves {} onto {}, {}", end.host.empty() ? "nowhere" : end.host,
                                       end.object, TraceWords::packet(packet));
        else
            verdict.text =
                fmt::format("delivered to port {} at {}, {}", end.object, end.host, TraceWords::packet(packet));
        return verdict;
    case Verdict::punted:
        verdict.verdict = "punted";
        verdict.text = fmt::format("punted at {} by {}: weftd answers{}{}", end.host, spoken(verdict.by),
                                   end.punt ? ": " : "", end.punt ? question(*end.punt) : "");
        return verdict;
    case Verdict::dropped:
    case Verdict::unknown:
        break;
    }
    verdict.verdict = "dropped";
    verdict.reason = pipeline::name_of(end.reason);
    if (end.kind == End::Kind::wire) {
        verdict.text = fmt::format("dropped: {} answers on {} to {}", "nobody", end.object, probe_.to.port);
        if (verdict.reason.empty()) verdict.reason = pipeline::name_of(Reason::unknown_destination);
        return verdict;
    }
    const auto because = why(end, packet, verdict);
    verdict.text = fmt::format("dropped at {} by {}: {}{}", end.host, spoken(verdict.by), because,
                               verdict.source.empty() ? "" : fmt::format(" ({})", verdict.source));
    return verdict;
}

} // namespace weft::controller
