#include "fabric/walk.hpp"

#include "fabric/emit.hpp"

#include <algorithm>
#include <deque>
#include <fmt/format.h>

namespace weft::fabric {
namespace {

using of::Field;

/// More switches than any way through a fabric has: two overlay hops, a gateway, its hairpin, the wire.
constexpr std::size_t kMaxPassages = 64;

constexpr std::array kHeaders{
    Field::eth_dst,   Field::eth_src,   Field::eth_type,  Field::vlan_tci,    Field::ip_src,
    Field::ip_dst,    Field::ipv6_src,  Field::ipv6_dst,  Field::ipv6_label,  Field::ip_proto,
    Field::ip_dscp,   Field::ip_ecn,    Field::ip_ttl,    Field::ip_frag,     Field::arp_op,
    Field::arp_spa,   Field::arp_tpa,   Field::arp_sha,   Field::arp_tha,     Field::tcp_src,
    Field::tcp_dst,   Field::tcp_flags, Field::udp_src,   Field::udp_dst,     Field::sctp_src,
    Field::sctp_dst,  Field::icmp_type, Field::icmp_code, Field::icmpv6_type, Field::icmpv6_code,
    Field::nd_target, Field::nd_sll,    Field::nd_tll,    Field::nd_reserved, Field::nd_options_type,
};

/// What of it goes over a wire.
of::Packet on_the_wire(const of::Packet& packet) {
    of::Packet bare;
    for (const auto field : kHeaders)
        bare.set(field, packet.get(field));
    bare.length = packet.length;
    return bare;
}

std::uint16_t vid_of(const of::Packet& packet) {
    return static_cast<std::uint16_t>(packet.get(Field::vlan_tci) & 0xfff);
}

class Walker {
  public:
    Walker(const World& world, Switches& switches, Connections& connections)
        : world_(world), switches_(switches), connections_(connections) {}

    Walk run(const Entrance& entrance, const of::Packet& packet) {
        if (entrance.host.empty())
            onto_wire(entrance.physnet, packet, "", of::Step::kStart, 0);
        else
            enter(entrance.host, entrance.ofport, packet, of::Step::kStart, 0);
        while (!coming_.empty() && walk_.passages.size() < kMaxPassages) {
            auto next = std::move(coming_.front());
            coming_.pop_front();
            pass(next);
        }
        return std::move(walk_);
    }

  private:
    struct Coming {
        std::string host;
        of::Packet packet;
        std::size_t previous, sent;
    };

    void enter(const std::string& host, std::uint32_t ofport, of::Packet packet, std::size_t previous,
               std::size_t sent) {
        packet.set(Field::in_port, ofport);
        coming_.push_back({host, std::move(packet), previous, sent});
    }

    void pass(const Coming& coming) {
        const auto passage = walk_.passages.size();
        walk_.passages.push_back({coming.host, {}, coming.previous, coming.sent});
        const auto* tables = switches_.tables(coming.host);
        const auto host = world_.hosts.find(coming.host);
        if (tables == nullptr || host == world_.hosts.end()) {
            walk_.missing.insert(coming.host);
            walk_.ends.push_back({.kind = End::Kind::unknown, .host = coming.host, .passage = passage});
            return;
        }
        const of::Surroundings around{.tracker = &connections_.at(coming.host),
                                      .live = [&](std::uint32_t ofport) { return switches_.live(coming.host, ofport); },
                                      .select = {}};
        walk_.passages[passage].steps =
            of::evaluate(*tables, coming.packet, pipeline::table_of(Stage::classify), around);
        follow(*host->second, passage);
    }

    /// What a passage sent goes on; what it did not ends.
    void follow(const HostView& host, std::size_t passage) {
        const auto& steps = walk_.passages[passage].steps;
        std::vector<bool> goes_on(steps.size(), false);
        for (const auto& step : steps)
            if (step.previous != of::Step::kStart) goes_on[step.previous] = true;
        for (std::size_t i = 0; i < steps.size(); ++i) {
            if (const auto* sent = std::get_if<of::Sent>(&steps[i].what))
                leave(host, sent->port, steps[i].packet, passage, i);
            else if (!goes_on[i])
                end(host, steps, passage, i);
        }
    }

    void leave(const HostView& host, std::uint32_t ofport, const of::Packet& packet, std::size_t passage,
               std::size_t step) {
        const auto watched = std::ranges::any_of(host.facts.watched, [&](const auto& w) { return w.second == ofport; });
        if (ofport == host.facts.vxlan_ofport || watched) return tunnel(host, packet, passage, step);
        for (const auto& [physnet, uplink] : host.facts.uplinks)
            if (uplink == ofport) return onto_wire(physnet, packet, host.name, passage, step);
        walk_.ends.push_back({.kind = End::Kind::port,
                              .host = host.name,
                              .object = port_at(host, ofport),
                              .passage = passage,
                              .step = step});
    }

    void tunnel(const HostView& from, const of::Packet& packet, std::size_t passage, std::size_t step) {
        for (const auto& [name, host] : world_.hosts) {
            const auto& vtep = host->facts.vtep;
            if (!vtep || !from.facts.vtep) continue;
            if (packet.get(vtep->is_v6() ? Field::tun_ipv6_dst : Field::tun_dst) != of::bits(*vtep)) continue;
            auto there = on_the_wire(packet);
            const auto& sender = *from.facts.vtep;
            there.set(Field::tun_id, packet.get(Field::tun_id));
            there.set(sender.is_v6() ? Field::tun_ipv6_src : Field::tun_src, of::bits(sender));
            there.set(vtep->is_v6() ? Field::tun_ipv6_dst : Field::tun_dst, of::bits(*vtep));
            // Where a BFD port to the sender stands, the more special one takes what it sends. One that the world does
            // not want any more is about to go.
            const auto special = host->facts.watched.find(sender);
            const bool stands = special != host->facts.watched.end() && host->watched.contains(sender);
            return enter(name, stands ? special->second : host->facts.vxlan_ofport, std::move(there), passage, step);
        }
        walk_.ends.push_back({.kind = End::Kind::drop, .host = from.name, .passage = passage, .step = step});
    }

    /// A physical network's switches bring a packet to the station whose MAC it has; to all of them when it is for all.
    void onto_wire(const std::string& physnet, const of::Packet& packet, const std::string& from, std::size_t passage,
                   std::size_t step) {
        const auto mac = Mac::from_u64(static_cast<std::uint64_t>(packet.get(Field::eth_dst)));
        const auto stations = stations_of(physnet, vid_of(packet), mac);
        bool somebody = false;
        for (const auto& [name, host] : world_.hosts) {
            const auto uplink = host->facts.uplinks.find(physnet);
            if (name == from || uplink == host->facts.uplinks.end()) continue;
            if (!mac.is_multicast() && !stations.contains(name)) continue;
            enter(name, uplink->second, on_the_wire(packet), passage, step);
            somebody = true;
        }
        if (somebody && !mac.is_multicast()) return;
        walk_.ends.push_back(
            {.kind = End::Kind::wire, .host = from, .object = physnet, .passage = passage, .step = step});
    }

    /// Hosts that answer to a MAC on a physical network.
    std::set<std::string> stations_of(const std::string& physnet, std::uint16_t vid, const Mac& mac) const {
        std::set<std::string> stations;
        for (const auto& [_, network] : world_.networks) {
            const auto& core = network->core;
            if (!core.physical() || core.physnet != physnet || core.vlan != vid) continue;
            for (const auto& [_, attachment] : network->bound)
                if (attachment->mac == mac) stations.insert(attachment->binding.host);
            if (core.routed && core.routed->mac == mac) stations.insert(core.edge);
            if (core.service && core.service->mac == mac)
                for (const auto& [host, _] : network->hosts)
                    stations.insert(host);
            for (const auto& [_, gateway] : world_.gateways)
                if (gateway->network == core.name) add_gateway(*gateway, mac, stations);
        }
        for (const auto& [name, _] : world_.hosts)
            if (host_mac(name, physnet) == mac) stations.insert(name);
        return stations;
    }

    static void add_gateway(const nat::Gateway& gateway, const Mac& mac, std::set<std::string>& stations) {
        if (gateway.mac == mac)
            for (const auto& candidate : gateway.candidates)
                stations.insert(candidate.host);
        for (const auto& floating : gateway.floating_ips)
            if (floating.mac == mac && !floating.host.empty()) stations.insert(floating.host);
    }

    std::string port_at(const HostView& host, std::uint32_t ofport) const {
        for (const auto& [_, network] : host.networks)
            for (const auto& [port, attachment] : network->bound)
                if (attachment->binding.host == host.name && attachment->binding.ofport == ofport) return port;
        return fmt::format("ofport {}", ofport);
    }

    /// A step that nothing follows.
    void end(const HostView& host, const of::Steps& steps, std::size_t passage, std::size_t step) {
        End end{.kind = End::Kind::drop, .host = host.name, .passage = passage, .step = step};
        const auto& what = steps[step].what;
        if (const auto* punted = std::get_if<of::Punted>(&what)) {
            end.kind = End::Kind::punt;
            end.punt = pipeline::punt_of(punted->action->userdata);
        }
        if (const auto* grouped = std::get_if<of::Grouped>(&what);
            grouped != nullptr && grouped->group->type == of::GroupType::fast_failover)
            end.kind = End::Kind::standby;
        for (auto at = step; at != of::Step::kStart; at = steps[at].previous) {
            const auto* visited = std::get_if<of::Visited>(&steps[at].what);
            if (visited == nullptr) continue;
            const auto owner = visited->flow == nullptr ? std::nullopt : pipeline::owner_of(visited->flow->cookie);
            if (owner) end.reason = owner->reason;
            break;
        }
        if (end.reason != Reason::none) end.kind = End::Kind::drop;
        walk_.ends.push_back(std::move(end));
    }

    const World& world_;
    Switches& switches_;
    Connections& connections_;
    std::deque<Coming> coming_;
    Walk walk_;
};

} // namespace

std::vector<std::pair<std::size_t, std::size_t>> Walk::way_to(const End& end) const {
    std::vector<std::pair<std::size_t, std::size_t>> way;
    auto passage = end.passage;
    auto step = end.step;
    while (passage != of::Step::kStart && passage < passages.size()) {
        const auto here = of::way_to(passages[passage].steps, step);
        for (auto at = here.rbegin(); at != here.rend(); ++at)
            way.emplace_back(passage, *at);
        step = passages[passage].sent;
        passage = passages[passage].previous;
    }
    std::ranges::reverse(way);
    return way;
}

Walk walk(const World& world, Switches& switches, Connections& connections, const Entrance& entrance,
          const of::Packet& packet) {
    return Walker(world, switches, connections).run(entrance, packet);
}

} // namespace weft::fabric
