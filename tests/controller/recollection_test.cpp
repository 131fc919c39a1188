// After a rollback everything has what it had: numbers, addresses, flows.
#include "controller/recollection.hpp"

#include "controller/intent.hpp"
#include "fabric/compile.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace weft::controller {
namespace {

constexpr int kNetworks = 4;
constexpr int kPorts = 5; // as many as a network has addresses

/// Intent with two hosts, on which every port is plugged in, and what the store would remember.
struct Daemon {
    Daemon() {
        (void)intent.restore({});
        apply("");
        for (const auto* host : {"kvm1", "kvm2"}) {
            fabric::Observation seen;
            seen.facts.vxlan_ofport = 1;
            seen.facts.uplinks = {{"physnet1", 2}};
            seen.facts.userspace = true;
            for (int port = host == std::string("kvm1") ? 0 : 1; port < kPorts; port += 2)
                seen.claims.push_back({fmt::format("tap{}", port),
                                       fmt::format("p{}", port),
                                       {},
                                       static_cast<unsigned>(10 + port),
                                       "",
                                       "",
                                       ""});
            intent.observe(host, seen);
        }
    }
    static std::vector<topology::Source> sources_of(const std::string& text) {
        std::string hosts;
        for (int n : {1, 2})
            hosts += fmt::format("[[host]]\nname = \"kvm{0}\"\novsdb = \"tcp:127.0.0.1:{0}\"\nvtep = \"192.0.2.1{0}\"\n"
                                 "datapath = \"netdev\"\nuplinks = {{ physnet1 = \"eth1\" }}\n",
                                 n);
        return {{"test.toml", hosts + text}};
    }
    void leave() { remembered[intent.state().current] = intent.state().recollection(); }
    void apply(const std::string& text) {
        const auto sources = sources_of(text);
        const auto candidate = intent.consider(sources);
        for (const auto& problem : candidate.problems)
            EXPECT_NE(problem.severity, topology::Severity::error) << topology::render(problem, sources);
        leave();
        intent.commit(candidate, intent.with_revision(candidate, "test.toml", sources));
    }
    Candidate roll_back(RevisionNumber to) {
        auto candidate = intent.consider(intent.state().find(to)->sources, remembered.at(to));
        EXPECT_TRUE(candidate.ok());
        leave();
        intent.commit(candidate, intent.with_rollback(candidate, to));
        return candidate;
    }
    std::map<std::string, fabric::SwitchState> flows() const {
        std::map<std::string, fabric::SwitchState> flows;
        for (const auto& [host, _] : intent.published().world->hosts)
            flows[host] = fabric::compile(*intent.published().world, host);
        return flows;
    }
    topology::AttachmentAddresses addresses(const std::string& port, const std::string& network) const {
        return intent.allocations().attachments.at({port, network});
    }

    asio::io_context io;
    Log log{LogLevel::error, [](std::string_view) {}};
    EventLog events{io.get_executor(), {}, log};
    Settings settings;
    Intent intent{settings, {log, events}, [](const Published&) {}};
    std::map<RevisionNumber, Recollection> remembered;
};

int one_of(int n) {
    return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(0, n));
}

/// Networks, routers, gateways and ports that are there or not, with numbers and addresses written or not: each edit
/// frees some for others to take.
std::string any_topology() {
    std::string text = "[[network]]\nname = \"public\"\nkind = \"flat\"\nphysnet = \"physnet1\"\n"
                       "subnet = \"203.0.113.0/24\"\n[[security_group]]\nname = \"web\"\n";
    std::vector<int> networks;
    for (int n = 0; n < kNetworks; ++n) {
        if (one_of(4) == 0) continue;
        networks.push_back(n);
        text += fmt::format("[[network]]\nname = \"n{0}\"\nkind = \"vxlan\"\nsubnet = \"10.0.{0}.0/29\"\n", n);
        if (one_of(4) == 0) text += fmt::format("vni = {}\n", 4096 + kNetworks - n);
    }
    for (int n = 0; n < 2; ++n)
        if (one_of(2) == 0)
            text += fmt::format("[[gateway]]\nname = \"g{0}\"\nnetwork = \"public\"\naddress = \"203.0.113.{1}\"\n"
                                "nexthop = \"203.0.113.1\"\nhosts = [\"kvm1\", \"kvm2\"]\n",
                                n, 2 + n);
    for (const int n : networks)
        if (one_of(2) == 0) text += fmt::format("[[router]]\nname = \"r{0}\"\nnetworks = [\"n{0}\"]\n", n);
    for (int n = 0; n < kPorts && !networks.empty(); ++n) {
        if (one_of(3) == 0) continue;
        const auto network = networks[static_cast<std::size_t>(one_of(static_cast<int>(networks.size())))];
        text += fmt::format("[[port]]\nname = \"p{}\"\nnetwork = \"n{}\"\n", n, network);
        if (n == 0 && one_of(2) == 0) text += fmt::format("ip = \"10.0.{}.{}\"\n", network, 2 + one_of(4));
        if (one_of(4) == 0) text += fmt::format("mac = \"52:54:00:00:00:0{}\"\n", n);
        if (one_of(2) == 0) text += "security_groups = [\"web\"]\n";
    }
    return text;
}

RC_GTEST_PROP(Recollection, ARollbackGivesEverythingWhatItHad, ()) {
    Daemon daemon;
    struct Before {
        RevisionNumber revision;
        topology::Allocations allocations;
        std::map<std::string, fabric::SwitchState> flows;
    };
    std::vector<Before> before;
    for (int edits = 1 + one_of(4); edits >= 0; --edits) {
        daemon.apply(any_topology());
        before.push_back({daemon.intent.state().current, daemon.intent.allocations(), daemon.flows()});
    }
    for (int rollbacks = 0; rollbacks < 2; ++rollbacks) {
        const auto& to = before[static_cast<std::size_t>(one_of(static_cast<int>(before.size()) - 1))];
        daemon.roll_back(to.revision);
        RC_ASSERT(daemon.intent.allocations() == to.allocations);
        RC_ASSERT(daemon.flows() == to.flows);
    }
}

constexpr const char* kBlue = "[[network]]\nname = \"blue\"\nkind = \"vxlan\"\nsubnet = \"10.0.1.0/24\"\n";

std::string port(const std::string& name, const std::string& more = "") {
    return fmt::format("[[port]]\nname = \"{}\"\nnetwork = \"blue\"\n{}", name, more);
}

TEST(Recollection, WhatItsGuestDeclinedSinceStaysDeclined) {
    Daemon daemon;
    daemon.apply(kBlue + port("p0"));
    const auto first = *daemon.addresses("p0", "blue").ip;
    daemon.apply(kBlue + port("p0") + port("p1"));
    ASSERT_TRUE(daemon.intent.decline({"p0", "blue"}, first));
    const auto second = *daemon.addresses("p0", "blue").ip;
    daemon.roll_back(2);
    EXPECT_EQ(daemon.addresses("p0", "blue").ip, second) << "its guest has it";
    EXPECT_EQ(daemon.intent.allocations().declined.at({"p0", "blue"}).ip, first);
    EXPECT_EQ(daemon.intent.allocations(),
              topology::allocate(daemon.intent.topology(), daemon.intent.allocations(), {}).allocations);
}

// Its NIC is no part of any revision.
TEST(Recollection, ADynamicPortThatCameSinceKeepsItsAddressUnlessAnotherPortHadIt) {
    Daemon daemon;
    const auto wanted = fmt::format("ip = \"10.0.1.10\"\n");
    daemon.apply(kBlue + port("p0", wanted));
    daemon.apply(kBlue);
    topology::Port vm;
    vm.name = "vm-1";
    vm.network = "blue";
    vm.vm = "vm";
    vm.mac = Mac::parse("52:54:00:00:01:01");
    ASSERT_TRUE(daemon.intent.hold(vm, "uuid", "kvm1"));
    const auto address = daemon.addresses("vm-1", "blue").ip;
    ASSERT_TRUE(address);
    EXPECT_EQ(daemon.roll_back(2).notices, std::vector<std::string>{});
    EXPECT_EQ(daemon.addresses("vm-1", "blue").ip, address);
    EXPECT_EQ(daemon.addresses("p0", "blue").ip, Ip::parse("10.0.1.10"));

    // Now the other way round: the port's old address is the dynamic one's now.
    Recollection then = daemon.remembered.at(2);
    then.allocations.attachments.at({"p0", "blue"}).ip = address;
    const auto merged = with_what_is_known(then, daemon.intent.state().recollection(), daemon.intent.topology());
    EXPECT_EQ(merged.allocations.attachments.at({"p0", "blue"}).ip, address);
    EXPECT_EQ(merged.allocations.attachments.at({"vm-1", "blue"}).ip, std::nullopt);
    EXPECT_EQ(merged.dynamic_ports.count("vm-1"), 1U);
    auto after = merged.allocations;
    after.attachments.at({"vm-1", "blue"}).ip = Ip::parse("10.0.1.99");
    EXPECT_THAT(readdressed(merged.dynamic_ports, daemon.intent.allocations(), after),
                testing::ElementsAre(fmt::format("port vm-1 gets 10.0.1.99 for {} in network blue, which is another "
                                                 "port's again",
                                                 address->to_string())));
}

TEST(Recollection, NeighboursOfANetworkThatComesBackAreKnownAgain) {
    Daemon daemon;
    const std::string office = "[[network]]\nname = \"office\"\nkind = \"flat\"\nphysnet = \"physnet1\"\n"
                               "subnet = \"192.168.1.0/24\"\n";
    daemon.apply(office);
    const auto printer = std::pair<std::string, Ip>("office", *Ip::parse("192.168.1.9"));
    daemon.intent.hear("office", printer.second, *Mac::parse("52:54:00:00:00:01"));
    daemon.apply("");
    EXPECT_TRUE(daemon.intent.state().learnt.neighbours.empty());
    daemon.roll_back(2);
    EXPECT_EQ(daemon.intent.state().learnt.neighbours.at(printer), *Mac::parse("52:54:00:00:00:01"));
    // Of one that is there all the time what is known now counts.
    daemon.apply(office + kBlue);
    daemon.intent.hear("office", printer.second, *Mac::parse("52:54:00:00:00:02"));
    daemon.roll_back(2);
    EXPECT_EQ(daemon.intent.state().learnt.neighbours.at(printer), *Mac::parse("52:54:00:00:00:02"));
}

} // namespace
} // namespace weft::controller
