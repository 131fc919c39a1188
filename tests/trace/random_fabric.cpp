#include "tests/trace/random_fabric.hpp"

#include <fmt/format.h>

namespace weft::fabric {
namespace {

constexpr std::array kGroups{"web", "db", "any", "out"};

std::string ports(Dice& dice) {
    std::string list;
    for (auto count = 1 + dice.below(3); count > 0; --count)
        list += fmt::format("\"{}\", ", dice.of({"22", "53", "80", "443", "8000-8010", "1000-1999", "5432"}));
    return fmt::format(", ports = [{}]", list);
}

/// What a rule and an ACL entry both have, but for the direction.
std::string matched(Dice& dice, bool groups) {
    const auto protocol = dice.of({"any", "icmp", "tcp", "tcp", "udp", "udp", "sctp"});
    auto text = fmt::format(", protocol = \"{}\"", protocol);
    if (protocol[0] != 'a' && protocol[0] != 'i' && dice.chance(70)) text += ports(dice);
    if (groups && dice.chance(40))
        text += fmt::format(", remote_group = \"{}\"", dice.of(kGroups));
    else if (dice.chance(50))
        text += fmt::format(", remote = \"{}\"", dice.of({"10.0.0.0/8", "10.0.1.8/29", "10.0.1.10", "fd00:1::/64",
                                                          "0.0.0.0/0", "198.51.100.0/25", "::/0"}));
    else if (dice.chance(30))
        text += fmt::format(", family = \"{}\"", dice.of({"ipv4", "ipv6"}));
    return text;
}

std::string security_groups(Dice& dice) {
    std::string text;
    for (const auto* name : kGroups) {
        text += fmt::format("[[security_group]]\nname = \"{}\"\nrules = [\n", name);
        for (auto count = 1 + dice.below(4); count > 0; --count)
            text += fmt::format("  {{ direction = \"{}\"{} }},\n", dice.chance(70) ? "ingress" : "egress",
                                matched(dice, true));
        // More addresses times ports than addresses and ports: a conjunction.
        text += fmt::format(
            "  {{ direction = \"{}\", protocol = \"tcp\", remote_group = \"{}\", ports = [\"22\", \"53\", \"80\", "
            "\"443\", \"1000-1999\", \"8000-8010\"] }},\n",
            dice.chance(70) ? "ingress" : "egress", dice.of(kGroups));
        text += "]\n";
    }
    return text;
}

std::string more_ports(Dice& dice) {
    std::string text = "[[qos]]\nname = \"gold\"\negress = { rate = \"200mbit\" }\ningress = { rate = \"100mbit\" }\n"
                       "dscp = 46\n";
    for (int number = 0; number < 12; ++number) {
        text += fmt::format("[[port]]\nname = \"x{}\"\nnetwork = \"{}\"\n", number,
                            dice.of({"blue", "blue", "blue", "red", "far", "office", "wire", "cell", "public"}));
        if (dice.chance(60)) text += fmt::format("security_groups = [\"{}\"]\n", dice.of(kGroups));
        if (dice.chance(20)) text += "qos = \"gold\"\n";
        if (dice.chance(20)) text += "port_security = false\n";
        if (dice.chance(20)) text += "allowed_addresses = [\"10.0.1.250\", \"10.7.0.0/16\", \"fd00:7::/64\"]\n";
    }
    return text;
}

/// What the text of kRouted says otherwise.
void edit(Dice& dice, topology::Topology& topology, const topology::Topology& acls) {
    for (auto& [name, network] : topology.networks) {
        if (dice.chance(30)) network.acl = acls.networks.at("acls").acl;
        if (network.subnet && dice.chance(50)) network.dhcp.emplace();
    }
    for (auto& [name, port] : topology.ports) {
        if (port.security_groups.empty() && dice.chance(20)) port.security_groups = {dice.of(kGroups), "any"};
        if (dice.chance(10)) port.port_security = !port.port_security;
    }
    topology.gateways.at("igw").snat.resize(dice.below(3));
    if (dice.chance(30)) topology.routers.at("plain").gateway.clear();
    if (dice.chance(30)) topology.gateways.at("igw").hosts = {"kvm2", "kvm1"};
}

topology::Topology with_acl(Dice& dice) {
    std::string text = "[[network]]\nname = \"acls\"\nkind = \"vxlan\"\nacl = [\n";
    for (auto count = 1 + dice.below(5); count > 0; --count)
        text += fmt::format("  {{ action = \"{}\", direction = \"{}\"{} }},\n", dice.of({"allow", "deny"}),
                            dice.of({"ingress", "egress"}), matched(dice, false));
    return topology::parse({{"acl.toml", text + "]\n"}}).topology;
}

void observe(Dice& dice, Fixture& fixture) {
    for (auto& [name, facts] : fixture.facts) {
        facts.nd_ext = dice.chance(70);
        facts.userspace = dice.chance(50);
        facts.queues = dice.chance(20);
        if (dice.chance(10)) facts.watched.clear();
        if (dice.chance(10)) fixture.learnt.out_of_service.insert(name);
        if (dice.chance(10)) fixture.learnt.returning.insert({"igw", name});
        if (dice.chance(10)) fixture.learnt.dead_links[name].insert("physnet1");
    }
    if (dice.chance(80))
        fixture.learnt.neighbours[{"public", *Ip::parse("203.0.113.1")}] = Mac::from_u64(0x5254'0000'0101);
    if (dice.chance(80))
        fixture.learnt.neighbours[{"public", *Ip::parse("2001:db8:1::1")}] = Mac::from_u64(0x5254'0000'0102);
    if (dice.chance(50))
        fixture.learnt.neighbours[{"office", *Ip::parse("198.51.100.99")}] = Mac::from_u64(0x5254'0000'0103);
}

void plug_in(Dice& dice, Fixture& fixture) {
    std::uint32_t ofport = 10;
    for (const auto& [name, _] : fixture.topology->ports) {
        if (dice.chance(5)) continue;
        const auto host = dice.of(fixture.topology->host_order);
        fixture.bind(name, host, ofport++);
        const auto other = dice.of(fixture.topology->host_order);
        if (other != host && dice.chance(5)) fixture.bindings.at(name).arriving = Plug{other, "tap-there", ofport++};
    }
    EXPECT_LE(ofport, kLastPort + 1);
}

} // namespace

Fixture random_fabric(Dice& dice) {
    auto text = kRouted + security_groups(dice);
    text += more_ports(dice);
    Fixture fixture(text);
    auto edited = *fixture.topology;
    edit(dice, edited, with_acl(dice));
    fixture.topology = std::make_shared<const topology::Topology>(std::move(edited));
    fixture.allocations = topology::allocate(*fixture.topology, {}, {}).allocations;
    observe(dice, fixture);
    plug_in(dice, fixture);
    return fixture;
}

} // namespace weft::fabric
