// The property that lets weft send little: the incremental plan always equals the full one.
#include "tests/fabric/fixture.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace weft::fabric {
namespace {

const std::vector<std::string> kHosts{"kvm1", "kvm2", "kvm3"};
const std::vector<std::string> kPorts{"a", "b", "c", "t", "o", "r", "f", "p", "web1-1", "web1-2", "db1-1"};

/// One of 0..n-1, each as likely as the other however small the case is.
int one_of(int n) {
    return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(0, n));
}

/// Names of objects that an admin has taken out of the file.
using Absent = std::set<std::string>;

/// `whole` without these, and without what cannot be without them.
topology::Topology without(topology::Topology whole, const Absent& absent) {
    const auto gone = [&](const auto& named) { return absent.contains(named.first); };
    std::erase_if(whole.hosts, gone);
    std::erase_if(whole.networks, gone);
    std::erase_if(whole.ports, gone);
    std::erase_if(whole.routers, gone);
    const auto no_host = [&](const std::string& name) { return !whole.hosts.contains(name); };
    const auto no_network = [&](const std::string& name) { return !whole.networks.contains(name); };
    std::erase_if(whole.host_order, no_host);
    for (auto& [_, gateway] : whole.gateways)
        std::erase_if(gateway.hosts, no_host);
    for (auto& [_, port] : whole.ports)
        std::erase_if(port.trunk, [&](const auto& entry) { return no_network(entry.network); });
    std::erase_if(whole.ports, [&](const auto& port) { return no_network(port.second.network); });
    for (auto& [_, router] : whole.routers) {
        std::erase_if(router.networks, no_network);
        std::erase_if(router.routes, [&](const topology::Route& route) {
            return std::ranges::none_of(router.networks, [&](const std::string& name) {
                const auto& subnet = whole.networks.at(name).subnet;
                return subnet && subnet->contains(route.via);
            });
        });
    }
    std::erase_if(whole.routers, [](const auto& router) { return router.second.networks.empty(); });
    std::erase_if(whole.floating_ips, [&](const auto& ip) { return !whole.ports.contains(ip.second.port); });
    std::erase_if(whole.port_forwards, [&](const auto& to) { return !whole.ports.contains(to.second.to_port); });
    return whole;
}

/// An object leaves the file, or is back in it. What the daemon knows of a host goes with it.
Touched edit(Fixture& fixture, const topology::Topology& whole, Absent& absent) {
    std::vector<std::string> names{"kvm1", "kvm3"}; // with kvm2 every gateway has a candidate
    for (const auto& [name, _] : whole.networks)
        if (name != "public") names.push_back(name);
    for (const auto& [name, _] : whole.ports)
        names.push_back(name);
    for (const auto& [name, _] : whole.routers)
        names.push_back(name);
    const auto name = *rc::gen::elementOf(names);
    if (absent.erase(name) == 0) absent.insert(name);
    fixture.topology = std::make_shared<const topology::Topology>(without(whole, absent));
    fixture.allocations = topology::allocate(*fixture.topology, fixture.allocations, {}).allocations;
    std::erase_if(fixture.bindings, [&](const auto& bound) { return absent.contains(bound.second.host); });
    for (auto& [_, binding] : fixture.bindings)
        if (binding.arriving && absent.contains(binding.arriving->host)) binding.arriving.reset();
    return {.all = true, .networks = {}, .hosts = {}};
}

/// The port's groups become others, and so do two groups' rules; an ACL comes or goes.
void edit_policy(topology::Topology& topology, topology::Port& port) {
    const auto maybe = [] { return one_of(2) == 1; };
    topology::SecurityRule from_g2;
    from_g2.remote_group = "g2";
    topology::SecurityRule out;
    out.direction = topology::Direction::egress;
    out.remote = Prefix::parse("10.0.0.0/8");
    topology.security_groups["g1"].name = "g1";
    topology.security_groups["g1"].rules = {from_g2};
    topology.security_groups["g2"].name = "g2";
    topology.security_groups["g2"].rules.clear();
    if (maybe()) topology.security_groups["g2"].rules.push_back(out);
    port.security_groups.clear();
    for (const auto* name : {"g1", "g2"})
        if (maybe()) port.security_groups.emplace_back(name);
    auto& gold = topology.qos["gold"];
    gold = {.origin = {}, .name = "gold", .egress = {}, .ingress = {}, .dscp = {}, .guarantee_bits_per_second = {}};
    if (maybe()) gold.egress = {.bits_per_second = 1'000'000U * static_cast<unsigned>(1 + one_of(3)), .burst_bits = 1};
    if (maybe()) gold.ingress = {.bits_per_second = 1'000'000, .burst_bits = 1};
    if (maybe()) gold.dscp = 46;
    port.qos = maybe() ? "gold" : "";
    auto& acl = topology.networks.at(port.network).acl;
    acl.clear();
    if (maybe()) acl.push_back({.allow = false, .ports = {{80, 90}}, .remote = out.remote});
    if (!acl.empty()) acl.front().protocol = {topology::Protocol::Class::number, 6};
}

/// A NIC comes or goes, and with it a dynamic port: what it touches is what Intent names.
Touched plug_or_unplug(Fixture& fixture, std::uint32_t& next_ofport) {
    Touched touched;
    const auto name = *rc::gen::element<std::string>("web1-1", "web1-2", "db1-1");
    auto edited = *fixture.topology;
    topology::Port port;
    if (const auto there = edited.ports.find(name); there != edited.ports.end()) {
        port = there->second;
        edited.ports.erase(there);
        fixture.bindings.erase(name);
    } else {
        std::vector<std::string> networks;
        for (const auto& [network, _] : edited.networks)
            networks.push_back(network);
        port.name = name;
        port.network = *rc::gen::elementOf(networks);
        port.vm = name.substr(0, name.find('-'));
        port.mac = Mac::from_u64(0x5254'0000'0300 + next_ofport);
        for (const auto* group : {"g1", "g2"})
            if (edited.security_groups.contains(group) && one_of(2) == 1) port.security_groups.emplace_back(group);
        edited.ports.emplace(name, port);
        if (one_of(2) == 1) // or OVSDB tells of it later
            fixture.bind(name, *rc::gen::elementOf(edited.host_order), next_ofport++);
    }
    touched.all = !port.security_groups.empty();
    touched.networks = {port.network};
    fixture.topology = std::make_shared<const topology::Topology>(std::move(edited));
    fixture.allocations = topology::allocate(*fixture.topology, fixture.allocations, {}).allocations;
    return touched;
}

/// A VM begins to migrate, its interface there gets its ofport or another one, it arrives, or it does not.
Touched migrate(Fixture& fixture, std::uint32_t& next_ofport) {
    Touched touched;
    std::vector<std::string> bound, arriving;
    for (const auto& [name, binding] : fixture.bindings)
        if (fixture.topology->ports.contains(name)) (binding.arriving ? arriving : bound).push_back(name);
    const bool under_way = !arriving.empty() && (bound.empty() || one_of(2) == 1);
    if (!under_way && bound.empty()) return touched;
    const auto port = *rc::gen::elementOf(under_way ? arriving : bound);
    auto& binding = fixture.bindings.at(port);
    const auto host = *rc::gen::elementOf(fixture.topology->host_order);
    const auto what = one_of(4);
    if (under_way && what == 0)
        binding = {*binding.arriving, std::nullopt};
    else if (under_way && what == 1)
        binding.arriving.reset();
    else if (under_way && what == 2)
        binding.arriving->ofport = next_ofport++;
    else if (host != binding.host)
        binding.arriving = Plug{host, "tap-there", what == 3 ? 0U : next_ofport++};
    for (auto& network : networks_of(fixture.topology->ports.at(port)))
        touched.networks.insert(std::move(network));
    return touched;
}

/// One random thing that happens to a fabric; returns what it touched.
Touched happen(Fixture& fixture, std::uint32_t& next_ofport) {
    Touched touched;
    std::vector<std::string> ports;
    for (const auto& name : kPorts)
        if (fixture.topology->ports.count(name) > 0) ports.push_back(name);
    if (ports.empty()) return touched;
    const auto port = *rc::gen::elementOf(ports);
    const auto host = *rc::gen::elementOf(fixture.topology->host_order);
    const auto touch = [&] {
        for (auto& network : networks_of(fixture.topology->ports.at(port)))
            touched.networks.insert(std::move(network));
    };
    switch (one_of(12)) {
    case 0:
        fixture.bindings.erase(port);
        touch();
        break;
    case 4:
    case 5:
        return plug_or_unplug(fixture, next_ofport);
    case 6:
    case 7:
    case 8:
        return migrate(fixture, next_ofport);
    case 1:
        fixture.facts[host].nd_ext = !fixture.facts[host].nd_ext;
        touched.hosts.insert(host);
        break;
    case 2:
        fixture.facts[host].vtep = Ip::v4(0xc0000200 + *rc::gen::inRange<std::uint32_t>(1, 250));
        touched.hosts.insert(host);
        break;
    case 3: {
        auto edited = *fixture.topology;
        auto& edited_port = edited.ports.at(port);
        edited_port.port_security = !edited_port.port_security;
        if (edited_port.trunk.size() > 1) edited_port.trunk.pop_back();
        edit_policy(edited, edited_port);
        auto& dhcp = edited.networks.at(edited_port.network).dhcp;
        if (dhcp)
            dhcp.reset();
        else if (edited.networks.at(edited_port.network).subnet)
            dhcp.emplace();
        if (edited.networks.contains("office"))
            edited.networks.at("office").vlan = *rc::gen::inRange<std::uint16_t>(50, 60);
        fixture.topology = std::make_shared<const topology::Topology>(std::move(edited));
        fixture.allocations = topology::allocate(*fixture.topology, fixture.allocations, {}).allocations;
        touched.all = true;
        break;
    }
    default:
        fixture.bind(port, host, next_ofport++);
        touch();
        break;
    }
    return touched;
}

/// The same for what only routers and gateways depend on.
Touched happen_outside(Fixture& fixture) {
    Touched touched;
    const auto host = *rc::gen::elementOf(kHosts);
    switch (one_of(10)) {
    case 9: {
        const std::pair<std::string, std::string> candidate{"igw", host};
        if (fixture.learnt.returning.erase(candidate) == 0) fixture.learnt.returning.insert(candidate);
        break;
    }
    case 8:
        if (fixture.learnt.dead_links.erase(host) == 0) fixture.learnt.dead_links[host].insert("physnet1");
        touched.networks = {"office", "public", "wire"};
        break;
    case 7: {
        const NextHopAt at{host, "public", *Ip::parse("203.0.113.1")};
        if (fixture.learnt.unanswered.erase(at) == 0) fixture.learnt.unanswered.insert(at);
        break;
    }
    case 5:
        if (fixture.learnt.absent.erase(host) == 0) fixture.learnt.absent.insert(host);
        touched.networks = {"office", "public", "wire"};
        break;
    case 6: {
        const std::pair<std::string, Ip> key{"office", *Ip::parse("198.51.100.99")};
        if (fixture.learnt.neighbours.erase(key) == 0) fixture.learnt.neighbours[key] = Mac::from_u64(0x5254'0000'0200);
        touched.networks.insert("office");
        break;
    }
    case 0:
        if (!fixture.learnt.out_of_service.erase(host)) fixture.learnt.out_of_service.insert(host);
        break;
    case 1:
        fixture.learnt.neighbours[{"public", *Ip::parse("203.0.113.1")}] =
            Mac::from_u64(0x5254'0000'0100 + *rc::gen::inRange<std::uint64_t>(0, 3));
        break;
    case 2:
        fixture.facts[host].watched.clear();
        touched.hosts.insert(host);
        break;
    case 3: {
        auto edited = *fixture.topology;
        edited.floating_ips.erase(*Ip::parse("203.0.113.20"));
        edited.gateways.at("igw").snat.resize(*rc::gen::inRange<std::size_t>(0, 2));
        if (edited.routers.contains("plain"))
            edited.routers.at("plain").gateway = *rc::gen::element<std::string>("bare", "");
        fixture.topology = std::make_shared<const topology::Topology>(std::move(edited));
        touched.all = true;
        break;
    }
    default:
        fixture.facts[host].uplinks.erase("physnet1");
        touched.hosts.insert(host);
        break;
    }
    return touched;
}

void check_deltas(Fixture fixture, bool outside) {
    std::uint32_t next_ofport = 10;
    const auto whole = *fixture.topology;
    Absent absent;
    auto world = fixture.world();
    std::map<std::string, Installed> installed;
    for (const auto& host : kHosts)
        installed[host] = Installed::of(compile(*world, host));
    const auto steps = *rc::gen::inRange(1, 25);
    for (int step = 0; step < steps; ++step) {
        const auto kind = one_of(5);
        const auto touched = kind == 0             ? edit(fixture, whole, absent)
                             : outside && kind < 3 ? happen_outside(fixture)
                                                   : happen(fixture, next_ofport);
        const auto next = build(fixture.inputs(), world, touched);
        for (const auto& host : kHosts) {
            installed[host].apply(delta(*world, *next, host));
            const auto full = Installed::of(compile(*fixture.world(), host));
            RC_LOG() << host << " differs in " << installed[host].difference(full) << "\n";
            RC_ASSERT(installed[host] == full);
        }
        world = next;
    }
}

RC_GTEST_PROP(Delta, AppliedToWhatIsInstalledGivesWhatAFullCompileGives, ()) {
    check_deltas(Fixture(kThreeHosts), false);
}

RC_GTEST_PROP(Delta, AppliedToARoutedFabricGivesWhatAFullCompileGives, ()) {
    check_deltas(Fixture(kRouted), true);
}

TEST(Delta, OfAWorldWithItselfIsEmptyAndSharesEveryPart) {
    Fixture fixture(kThreeHosts);
    fixture.bind("a", "kvm1", 10);
    const auto world = fixture.world();
    const auto again = build(fixture.inputs(), world, {.all = true, .networks = {}, .hosts = {}});
    EXPECT_EQ(world->hosts, again->hosts); // pointers
    EXPECT_TRUE(delta(*world, *again, "kvm1").empty());
}

TEST(Delta, OneMorePortCostsAHandfulOfFlowsElsewhereAndNothingWhereItsNetworkIsNot) {
    Fixture fixture(kThreeHosts);
    fixture.bind("a", "kvm1", 10);
    fixture.bind("r", "kvm3", 10);
    const auto before = fixture.world();
    fixture.bind("b", "kvm2", 10);
    const auto after = build(fixture.inputs(), before, {.all = false, .networks = {"blue"}, .hosts = {}});
    EXPECT_LE(delta(*before, *after, "kvm1").flows.size(), 8U);
    EXPECT_TRUE(delta(*before, *after, "kvm3").empty());
    EXPECT_EQ(before->hosts.at("kvm3"), after->hosts.at("kvm3"));
}

} // namespace
} // namespace weft::fabric
