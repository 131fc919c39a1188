// What a host's rows tell of it; and what they will tell of ports that its rows make, before Open vSwitch has made
// them.
#include "fabric/host_rows.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::fabric {
namespace {

const Ip kOther = Ip::v4(0xc000020c), kThird = Ip::v4(0xc000020d);

topology::Host host() {
    topology::Host host;
    host.name = "kvm1";
    host.bridge = "br-int";
    host.datapath = topology::Datapath::netdev;
    host.vtep = Ip::v4(0xc000020b);
    host.uplinks = {{"physnet1", "eth1"}};
    return host;
}

ovsdb::DesiredRows rows(const topology::Host& of, std::set<Ip> watched) {
    return desired_rows(of, {.controllers = {}, .watched = std::move(watched), .withdrawn = false, .qos = {}});
}

HostFacts facts() {
    return {.vtep = host().vtep, .vxlan_ofport = 1, .uplinks = {{"physnet1", 2}}, .watched = {{kOther, 3}}};
}

TEST(FactsUnder, AreTheSameUnderTheSameRows) {
    EXPECT_EQ(facts_under(facts(), rows(host(), {kOther}), rows(host(), {kOther}), {}), facts());
    auto missing = facts(); // Open vSwitch could not make it
    missing.uplinks.clear();
    EXPECT_EQ(facts_under(missing, rows(host(), {kOther}), rows(host(), {kOther}), {}), missing);
}

TEST(FactsUnder, NewPortsHaveNumbersThatNoOtherHas) {
    auto after = host();
    after.uplinks.emplace("physnet2", "eth2");
    const auto then = facts_under(facts(), rows(host(), {kOther}), rows(after, {kOther, kThird}), {0xfeff});
    EXPECT_EQ(then.vxlan_ofport, 1U);
    EXPECT_EQ(then.uplinks.at("physnet1"), 2U);
    EXPECT_EQ(then.watched.at(kOther), 3U);
    EXPECT_EQ((std::set<std::uint32_t>{then.uplinks.at("physnet2"), then.watched.at(kThird)}),
              (std::set<std::uint32_t>{0xfefe, 0xfefd}));
}

TEST(FactsUnder, AnotherNicHasAnotherNumberAndWhatGoesHasNone) {
    auto after = host();
    after.uplinks["physnet1"] = "eth2";
    const auto then = facts_under(facts(), rows(host(), {kOther}), rows(after, {}), {});
    EXPECT_NE(then.uplinks.at("physnet1"), 2U);
    EXPECT_TRUE(then.watched.empty());
    after.uplinks.clear();
    after.vtep.reset();
    EXPECT_EQ(facts_under(facts(), rows(host(), {kOther}), rows(after, {}), {}),
              (HostFacts{.vtep = host().vtep, .vxlan_ofport = 0}));
}

TEST(FactsUnder, OfAHostThatIsNewAreAll) {
    const auto then = facts_under({}, {}, rows(host(), {kOther}), {});
    EXPECT_NE(then.vxlan_ofport, 0U);
    EXPECT_TRUE(then.uplinks.contains("physnet1"));
    EXPECT_TRUE(then.watched.contains(kOther));
}

/// A host's OVSDB: weft's bridge, and beside it one that is not weft's. Columns are JSON, as OVSDB writes them.
class Rows {
  public:
    Rows& interface(const std::string& bridge, const std::string& name, const std::string& columns) {
        const auto number = ++last_;
        const auto port = uuid(100 + number), interface = uuid(200 + number);
        row("Interface", interface, fmt::format(R"({{"name": "{}", {}}})", name, columns));
        row("Port", port, fmt::format(R"({{"name": "{}", "interfaces": ["uuid","{}"]}})", name, interface));
        ports_[bridge].push_back(boost::json::array{"uuid", port});
        return *this;
    }
    /// A VXLAN port of somebody else's.
    Rows& tunnel(const std::string& options) {
        return interface("br-tun", "vx0",
                         fmt::format(R"("type": "vxlan", "ofport": 5, "options": ["map",[{}]])", options));
    }
    Rows& uplink(const std::string& columns) {
        return interface("br-int", "eth1",
                         R"("ofport": 2, "external_ids": ["map",[["weft","kvm1"],["weft-uplink","physnet1"]]])" +
                             (columns.empty() ? "" : ", " + columns));
    }
    Rows& unmade() {
        made_ = false;
        return *this;
    }
    ovsdb::Replica replica() {
        for (const auto* bridge : {"br-int", "br-tun"}) {
            boost::json::object columns{{"name", bridge}, {"ports", boost::json::array{"set", ports_[bridge]}}};
            if (made_) columns["datapath_id"] = "00000000000000a1";
            updates_["Bridge"].is_null() ? updates_["Bridge"].emplace_object() : updates_["Bridge"].as_object();
            updates_["Bridge"].as_object()[uuid(std::string_view(bridge) == "br-int" ? 1 : 2)] =
                boost::json::object{{"initial", columns}};
        }
        ovsdb::Replica replica;
        const auto applied = replica.apply(updates_);
        EXPECT_TRUE(applied) << applied.error().text;
        return replica;
    }
    Observation seen() { return observe(replica(), host()); }

  private:
    static std::string uuid(int number) { return fmt::format("00000000-0000-0000-0000-{:012}", number); }
    void row(const std::string& table, const std::string& at, const std::string& columns) {
        auto& rows = updates_[table].is_null() ? updates_[table].emplace_object() : updates_[table].as_object();
        rows[at] = boost::json::object{{"initial", boost::json::parse(columns)}};
    }

    boost::json::object updates_;
    std::map<std::string, boost::json::array> ports_; ///< by bridge
    int last_ = 0;
    bool made_ = true;
};

/// What others take of kvm1's VXLAN, whose peer is 192.0.2.12, by a port with these options.
std::vector<std::string> taken(const std::string& options) {
    auto blue = std::make_shared<NetworkView>();
    blue->core.kind = topology::NetworkKind::vxlan;
    blue->core.vni = 4096;
    HostView view;
    view.peers = {kOther};
    view.networks = {{"blue", blue}};
    return taken_by(Rows().tunnel(options).seen().tunnels, view);
}

TEST(ForeignTunnel, TakesWhatItsOptionsNameMoreCloselyThanWefts) {
    using testing::ElementsAre;
    // OVN's, with ovn-encap-type=vxlan; Neutron's br-tun.
    EXPECT_THAT(
        taken(R"(["remote_ip","192.0.2.12"],["key","flow"])"),
        ElementsAre("interface vx0 of bridge br-tun takes VXLAN from 192.0.2.12 on UDP port 4789 away from weft: "
                    "delete it (`ovs-vsctl del-port vx0`)"));
    EXPECT_EQ(
        taken(R"(["remote_ip","192.0.2.12"],["in_key","flow"],["out_key","flow"],["local_ip","192.0.2.11"])").size(),
        1U);
    EXPECT_EQ(taken(R"(["remote_ip","192.0.2.12"],["key","flow"],["dst_port","4789"])").size(), 1U);
    // One VNI from anybody.
    EXPECT_THAT(taken(R"(["remote_ip","flow"],["key","0x1000"])"),
                ElementsAre(testing::HasSubstr("takes VXLAN of VNI 4096 on")));
}

TEST(ForeignTunnel, TakesNothingOfWeftsThatComesElsewhereOrIsLessClose) {
    EXPECT_TRUE(taken(R"(["remote_ip","192.0.2.12"],["key","flow"],["dst_port","4790"])").empty());
    EXPECT_TRUE(taken(R"(["remote_ip","192.0.2.12"],["key","flow"],["local_ip","198.51.100.1"])").empty());
    EXPECT_TRUE(taken(R"(["remote_ip","192.0.2.99"],["key","flow"])").empty()) << "no peer of the host";
    EXPECT_TRUE(taken(R"(["remote_ip","192.0.2.12"])").empty()) << "VNI 0";
    EXPECT_TRUE(taken(R"(["remote_ip","192.0.2.12"],["key","7"])").empty()) << "no VNI of the host's";
    EXPECT_TRUE(taken(R"(["remote_ip","flow"],["key","flow"])").empty()) << "weft-vxlan names its own address too";
}

TEST(ForeignTunnel, IsPassedOverByPacketsOfAPeerThatHasAPortOfWefts) {
    const auto watching = [] {
        return Rows().interface("br-int", "weft-b", R"("type": "vxlan", "ofport": 3, "external_ids":
            ["map",[["weft","kvm1"],["weft-role","bfd"],["weft-peer","192.0.2.12"]]])");
    };
    EXPECT_TRUE(watching().tunnel(R"(["remote_ip","192.0.2.12"],["key","flow"])").seen().tunnels.empty());
    EXPECT_EQ(watching().tunnel(R"(["remote_ip","192.0.2.12"],["key","4096"])").seen().tunnels.size(), 1U);
}

TEST(Bridge, ThatOpenVSwitchHasNotMadeSaysSo) {
    EXPECT_EQ(Rows().seen().unmade, "");
    EXPECT_EQ(Rows().unmade().seen().unmade, "ovs-vswitchd has not made bridge br-int (datapath netdev: does it run?)");
    auto kernel = host();
    kernel.datapath = topology::Datapath::system;
    EXPECT_EQ(observe(Rows().unmade().replica(), kernel).unmade,
              "ovs-vswitchd has not made bridge br-int (datapath system: is the kernel module openvswitch loaded?)");
}

TEST(Uplinks, TellWhetherTheirDeviceCarriesAnything) {
    const auto told = [](const std::string& columns) { return uplinks_of(Rows().uplink(columns).replica(), host()); };
    using State = Uplink::State;
    EXPECT_EQ(told(R"("admin_state": "up", "link_state": "up")").at("physnet1"), (Uplink{"eth1", State::up}));
    EXPECT_EQ(told(R"("admin_state": "up", "link_state": "down")").at("physnet1").state, State::no_carrier);
    EXPECT_EQ(trouble_of(told(R"("admin_state": "down", "link_state": "down")").at("physnet1")),
              "eth1 is administratively down: on the host `ip link set eth1 up`");
    EXPECT_EQ(told("").at("physnet1").state, State::up) << "nothing is known yet";
}

TEST(Uplinks, AreNoLinuxBridges) {
    EXPECT_TRUE(Rows().uplink(R"("status": ["map",[["driver_name","virtio_net"]]])").seen().unfit.empty());
    EXPECT_THAT(
        Rows().uplink(R"("status": ["map",[["driver_name","bridge"]]])").seen().unfit,
        testing::ElementsAre("uplink physnet1: eth1 is a Linux bridge: name a NIC, or a bridge of Open vSwitch"));
}

} // namespace
} // namespace weft::fabric
