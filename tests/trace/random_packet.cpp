#include "tests/trace/random_packet.hpp"

#include <algorithm>

namespace weft::fabric {

namespace of = openflow;
using of::Field;
using of::Packet;

namespace {

const std::array kOutside{
    *Ip::parse("8.8.8.8"),        *Ip::parse("192.168.50.9"),
    *Ip::parse("198.51.100.99"),  *Ip::parse("203.0.113.1"),
    *Ip::parse("203.0.113.2"),    *Ip::parse("203.0.113.3"),
    *Ip::parse("203.0.113.8"),    *Ip::parse("203.0.113.20"),
    *Ip::parse("203.0.113.21"),   *Ip::parse("0.0.0.0"),
    *Ip::parse("192.0.2.12"),     *Ip::parse("255.255.255.255"),
    *Ip::parse("224.0.0.251"),    *Ip::parse("169.254.1.1"),
    *Ip::parse("10.0.1.250"),     *Ip::parse("10.0.1.200"),
    *Ip::parse("10.0.1.255"),     *Ip::parse("2001:db8:9::9"),
    *Ip::parse("2001:db8:1::1"),  *Ip::parse("2001:db8:1::2"),
    *Ip::parse("fe80::1"),        *Ip::parse("fe80::5054:ff:fe00:a"),
    *Ip::parse("ff02::1"),        *Ip::parse("ff02::2"),
    *Ip::parse("ff02::1:ff00:a"), *Ip::parse("::"),
    *Ip::parse("fd00:7::1"),      *Ip::parse("fd00:1::99"),
};

void put(Packet& packet, Field v4, Field v6, const Ip& ip) {
    packet.set(ip.is_v6() ? v6 : v4, of::bits(ip));
}

} // namespace

RandomPackets::RandomPackets(Dice& dice, const World& world, const std::string& host, const SwitchState& state)
    : dice_(dice), world_(world), host_(*world.hosts.at(host)) {
    macs_ = {Mac::from_u64(0xffff'ffff'ffff), Mac::from_u64(0x3333'0000'0001), Mac::from_u64(0x0100'5e00'00fb),
             Mac::from_u64(0x5254'0000'0101), Mac::from_u64(0x5254'0099'9999), host_mac(host, "physnet1")};
    ips_.assign(kOutside.begin(), kOutside.end());
    for (const auto& [name, network] : world.networks) {
        all_[name];
        for (const auto& [_, attachment] : network->bound) {
            if (attachment->binding.host == host && attachment->binding.ofport != 0) here_.push_back(attachment);
            all_[name].push_back({attachment->mac, attachment->ips, name});
            macs_.push_back(attachment->mac);
            ips_.insert(ips_.end(), attachment->ips.begin(), attachment->ips.end());
            ips_.push_back(Ip::link_local(attachment->mac));
        }
        if (const auto& service = network->core.service) {
            macs_.push_back(service->mac);
            ips_.insert(ips_.end(), service->addresses.begin(), service->addresses.end());
        }
        if (const auto& routed = network->core.routed)
            for (const auto& ip : routed->addresses())
                ips_.push_back(ip);
    }
    for (int weight = 0; weight < 4; ++weight) {
        for (const auto& [_, router] : world.routers)
            macs_.push_back(router->mac);
        for (const auto& [_, gateway] : world.gateways)
            macs_.push_back(gateway->mac);
    }
    for (const auto& flow : state.flows)
        by_table_[flow.table].push_back(&flow);
    for (const auto& flow : state.flows)
        for (const auto& field : flow.match.fields())
            if (field.field == Field::ct_mark) marks_.push_back(field.value);
}

of::Question RandomPackets::next() {
    of::Question question{.packet = {}, .states = {}, .table = 0};
    auto& packet = question.packet;
    const auto way = dice_.below(100);
    const auto sender = way < 55 && !here_.empty()                 ? from_port(packet)
                        : way < 80 && !host_.facts.uplinks.empty() ? from_wire(packet)
                                                                   : from_tunnel(packet);
    address(packet, sender);
    packet.length = dice_.of({60U, 98U, 1400U, 1414U, 1415U, 1464U, 1514U, 1515U, 9014U});
    for (auto count = 1 + dice_.below(5); count > 0; --count)
        question.states.push_back(
            of::ct::kTrk |
            dice_.of({of::ct::kNew, of::ct::kNew | of::ct::kSnat, of::ct::kNew | of::ct::kDnat, of::ct::kEst,
                      of::ct::kEst | of::ct::kRpl, of::ct::kInv, of::ct::kRel, of::ct::kRel | of::ct::kRpl,
                      of::ct::kEst | of::ct::kRpl | of::ct::kSnat, of::ct::kEst | of::ct::kDnat}));
    if (dice_.chance(40)) satisfy(question);
    return question;
}

RandomPackets::Sender RandomPackets::from_port(Packet& packet) {
    const auto& attachment = *dice_.of(here_);
    packet.set(Field::in_port, attachment.binding.ofport);
    if (attachment.vlan) packet.set(Field::vlan_tci, 0x1000 | *attachment.vlan);
    if (dice_.chance(8)) packet.set(Field::vlan_tci, dice_.of({0x1000, 0x1007, 0x1008, 0x1063, 0xf000}));
    std::string in;
    for (const auto& [name, network] : world_.networks)
        if (const auto bound = network->bound.find(attachment.port);
            bound != network->bound.end() && bound->second->id == attachment.id)
            in = name;
    Sender sender{attachment.mac, attachment.ips, in};
    if (dice_.chance(8)) sender.mac = dice_.of(macs_);
    if (dice_.chance(8) || sender.ips.empty()) sender.ips = {dice_.of(ips_), dice_.of(ips_)};
    if (dice_.chance(10)) sender.ips.push_back(Ip::link_local(sender.mac));
    return sender;
}

RandomPackets::Sender RandomPackets::from_wire(Packet& packet) {
    packet.set(Field::in_port, dice_.of(host_.facts.uplinks).second);
    std::vector<const NetworkView*> physical;
    for (const auto& [_, network] : world_.networks)
        if (network->core.physical()) physical.push_back(network.get());
    const auto& network = dice_.of(physical)->core;
    if (network.vlan != 0) packet.set(Field::vlan_tci, 0x1000 | network.vlan);
    if (dice_.chance(5)) packet.set(Field::vlan_tci, dice_.of({0, 0x1000, 0x1063}));
    return {dice_.of(macs_), {dice_.of(ips_), dice_.of(kOutside), dice_.of(kOutside)}, network.name};
}

RandomPackets::Sender RandomPackets::from_tunnel(Packet& packet) {
    const auto vtep = Ip::v4(static_cast<std::uint32_t>(0xc000'020b + dice_.below(4)));
    packet.set(Field::in_port, of::TracedSwitch::kVxlan);
    packet.set(Field::tun_src, of::bits(vtep));
    if (const auto bfd = host_.facts.watched.find(vtep); bfd != host_.facts.watched.end() && dice_.chance(50))
        packet.set(Field::in_port, bfd->second);
    if (host_.facts.vtep) packet.set(Field::tun_dst, of::bits(*host_.facts.vtep));
    if (dice_.chance(25)) {
        packet.set(Field::tun_id, dice_.of(world_.gateways).second->numbers.vni);
        return {dice_.of(macs_), {dice_.of(ips_), dice_.of(ips_)}, "public"};
    }
    const auto& network = dice_.of(world_.networks).second->core;
    packet.set(Field::tun_id, network.vni);
    Sender sender{dice_.of(macs_), {dice_.of(ips_), dice_.of(ips_)}, network.name};
    if (const auto& there = all_.at(network.name); !there.empty() && dice_.chance(80)) sender = dice_.of(there);
    return sender;
}

/// An address that is often of the sender's network, and then with the MAC that it has there.
Ip RandomPackets::target(const Sender& sender, bool v6) {
    const auto network = all_.find(sender.network);
    for (int tries = 0; tries < 8; ++tries) {
        const auto& some = network != all_.end() && !network->second.empty() && dice_.chance(40)
                               ? dice_.of(network->second).ips
                               : ips_;
        if (some.empty()) continue;
        if (const auto ip = dice_.of(some); ip.is_v6() == v6) return ip;
    }
    return v6 ? *Ip::parse("fd00:1::a") : *Ip::parse("10.0.1.10");
}

void RandomPackets::address(Packet& packet, const Sender& sender) {
    packet.set(Field::eth_src, of::bits(sender.mac));
    packet.set(Field::eth_dst, of::bits(dice_.of(macs_)));
    const auto network = all_.find(sender.network);
    if (network != all_.end() && !network->second.empty() && dice_.chance(35))
        packet.set(Field::eth_dst, of::bits(dice_.of(network->second).mac));
    if (const auto routed = world_.networks.find(sender.network);
        routed != world_.networks.end() && routed->second->core.routed && dice_.chance(45))
        packet.set(Field::eth_dst, of::bits(routed->second->core.routed->mac));
    const auto kind = dice_.below(100);
    if (kind < 12)
        arp(packet, sender);
    else if (kind < 95)
        ip(packet, sender);
    else
        packet.set(Field::eth_type, dice_.of({0x8100, 0x88a8, 0x88cc, 0x9000}));
    if (packet.get(Field::eth_type) == 0x8100 || packet.get(Field::eth_type) == 0x88a8)
        packet.set(Field::vlan_tci, packet.get(Field::vlan_tci) | 0x1000);
}

void RandomPackets::arp(Packet& packet, const Sender& sender) {
    packet.set(Field::eth_type, of::eth_type::kArp);
    packet.set(Field::arp_op, dice_.chance(75) ? 1 : 2);
    packet.set(Field::arp_sha, of::bits(dice_.chance(90) ? sender.mac : dice_.of(macs_)));
    for (const auto& ip : sender.ips)
        if (ip.is_v4() && dice_.chance(90)) packet.set(Field::arp_spa, of::bits(ip));
    packet.set(Field::arp_tpa, of::bits(target(sender, false)));
    if (packet.get(Field::arp_op) == 2) packet.set(Field::arp_tha, packet.get(Field::eth_dst));
    if (dice_.chance(60)) packet.set(Field::eth_dst, 0xffff'ffff'ffff);
}

void RandomPackets::ip(Packet& packet, const Sender& sender) {
    const bool v6 = dice_.chance(35);
    packet.set(Field::eth_type, v6 ? of::eth_type::kIpv6 : of::eth_type::kIpv4);
    put(packet, Field::ip_src, Field::ipv6_src, target(sender, v6));
    for (const auto& ip : sender.ips)
        if (ip.is_v6() == v6 && dice_.chance(90)) put(packet, Field::ip_src, Field::ipv6_src, ip);
    put(packet, Field::ip_dst, Field::ipv6_dst, target(sender, v6));
    packet.set(Field::ip_ttl, dice_.of({64, 64, 64, 255, 2, 1, 0}));
    packet.set(Field::ip_dscp, dice_.of({0, 0, 10, 46}));
    if (v6 && dice_.chance(30)) return discovery(packet, sender); // which no tracker knows
    layer4(packet, v6);
    if (dice_.chance(60)) connection(packet);
}

void RandomPackets::layer4(Packet& packet, bool v6) {
    const auto protocol =
        dice_.of({of::ip_proto::kTcp, of::ip_proto::kTcp, of::ip_proto::kUdp, of::ip_proto::kUdp,
                  v6 ? of::ip_proto::kIcmpv6 : of::ip_proto::kIcmp, of::ip_proto::kSctp, std::uint8_t{47}});
    packet.set(Field::ip_proto, protocol);
    if (dice_.chance(10)) packet.set(Field::ip_frag, dice_.of({1, 3}));
    if (packet.get(Field::ip_frag) == 3 || protocol == 47) return;
    if (protocol == of::ip_proto::kIcmp) return packet.set(Field::icmp_type, dice_.of({8, 8, 0, 3, 11}));
    if (protocol == of::ip_proto::kIcmpv6)
        return packet.set(Field::icmpv6_type, dice_.of({128, 128, 129, 1, 143, 131}));
    const std::initializer_list<int> kPorts{22,   53,   67,   68,   80,   82,   443,  546,   547,
                                            1024, 1500, 5432, 8000, 8001, 8010, 8011, 40000, 0};
    packet.set(of::port_field(protocol, false), static_cast<unsigned>(dice_.of(kPorts)));
    packet.set(of::port_field(protocol, true), static_cast<unsigned>(dice_.of(kPorts)));
    if (protocol != of::ip_proto::kUdp || !dice_.chance(15)) return;
    packet.set(Field::udp_src, v6 ? 546 : 68);
    packet.set(Field::udp_dst, v6 ? 547 : 67);
}

void RandomPackets::discovery(Packet& packet, const Sender& sender) {
    const auto type = dice_.of({135, 135, 136, 136, 133, 134, 137});
    packet.set(Field::ip_proto, of::ip_proto::kIcmpv6);
    packet.set(Field::icmpv6_type, static_cast<unsigned>(type));
    packet.set(Field::ip_ttl, 255);
    if (type != 135 && type != 136) return;
    const auto option = type == 135 ? Field::nd_sll : Field::nd_tll;
    put(packet, Field::nd_target, Field::nd_target, target(sender, true));
    if (type == 136 && dice_.chance(60))
        for (const auto& ip : sender.ips)
            if (ip.is_v6()) packet.set(Field::nd_target, of::bits(ip));
    if (dice_.chance(80)) packet.set(option, of::bits(dice_.chance(85) ? sender.mac : dice_.of(macs_)));
}

/// What a trace keeps of a connection from one recirculation to the next: a policy that it began under, and its first
/// packet.
void RandomPackets::connection(Packet& packet) {
    packet.set(Field::ct_state, of::ct::kTrk | of::ct::kNew);
    if (!marks_.empty() && dice_.chance(60)) packet.set(Field::ct_mark, dice_.of(marks_));
    const bool v6 = packet.get(Field::eth_type) == of::eth_type::kIpv6;
    const bool back = dice_.chance(30);
    const auto source = packet.get(v6 ? Field::ipv6_src : Field::ip_src);
    const auto target = packet.get(v6 ? Field::ipv6_dst : Field::ip_dst);
    packet.set(v6 ? Field::ct_ipv6_src : Field::ct_nw_src, back ? target : source);
    packet.set(v6 ? Field::ct_ipv6_dst : Field::ct_nw_dst, back ? source : target);
    const auto protocol = packet.get(Field::ip_proto);
    packet.set(Field::ct_nw_proto, protocol);
    if (packet.get(Field::ip_frag) == 3 || protocol == 47) return;
    packet.set(Field::ct_tp_src, packet.get(of::port_field(protocol, back)));
    packet.set(Field::ct_tp_dst, packet.get(of::port_field(protocol, !back)));
}

/// A flow, and where it is a clause, one for each of the others.
std::vector<const of::Flow*> RandomPackets::with_clauses(const of::Flow& flow) {
    std::vector<const of::Flow*> flows{&flow};
    if (flow.actions.empty()) return flows;
    const auto* own = std::get_if<of::Conjunction>(&flow.actions.front().value);
    if (own == nullptr) return flows;
    for (std::uint8_t clause = 1; clause <= own->clauses; ++clause) {
        std::vector<const of::Flow*> choices;
        for (const auto* other : by_table_.at(flow.table))
            for (const auto& action : other->actions)
                if (const auto* part = std::get_if<of::Conjunction>(&action.value);
                    part != nullptr && part->id == own->id && part->clause == clause && clause != own->clause)
                    choices.push_back(other);
        if (!choices.empty()) flows.push_back(dice_.of(choices));
    }
    return flows;
}

/// Enters at some flow's table with what that flow asks for: so that flows which few packets reach are met too.
void RandomPackets::satisfy(of::Question& question) {
    for (int tries = 0; tries < 40; ++tries) {
        const auto& flow = *dice_.of(dice_.of(by_table_).second);
        if (flow.table == 0) continue; // there a packet has no registers yet
        auto packet = question.packet;
        const auto flows = with_clauses(flow);
        if (!std::ranges::all_of(flows, [&](const of::Flow* each) { return satisfy(packet, *each); })) continue;
        question.packet = packet;
        question.table = flow.table;
        return;
    }
}

/// False where what does not go together (an ARP's fields in an IP packet) makes no packet that could be asked for.
bool RandomPackets::satisfy(Packet& packet, const of::Flow& flow) {
    for (const auto kind : {Field::eth_type, Field::ip_proto, Field::icmp_type, Field::icmpv6_type, Field::ip_frag})
        if (const auto* asked = flow.match.find(kind); asked != nullptr && asked->value != packet.get(kind))
            return false;
    if (packet.get(Field::ip_frag) == 3) return false; // it has no ports
    for (const auto& field : flow.match.fields())
        if (field.field != Field::conj_id) packet.set(field.field, field.value, field.mask);
    // A connection has an original tuple only if something is known of it.
    if (packet.get(Field::ct_state) == of::ct::kTrk) packet.set(Field::ct_state, of::ct::kTrk | of::ct::kNew);
    if ((packet.get(Field::ct_state) & of::ct::kTrk) == 0)
        for (const auto field : {Field::ct_state, Field::ct_nw_src, Field::ct_nw_dst, Field::ct_ipv6_src,
                                 Field::ct_ipv6_dst, Field::ct_nw_proto, Field::ct_tp_src, Field::ct_tp_dst})
            packet.set(field, 0);
    return packet.matches(flow.match) || flow.match.find(Field::conj_id) != nullptr;
}

} // namespace weft::fabric
