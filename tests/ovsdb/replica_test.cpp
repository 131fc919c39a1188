// table-updates2 applied to the replica, as ovsdb-server 3.1 sends them: defaults left out, one-element sets as atoms,
// sets and maps modified by toggling. And updates no server sends: errors, never more.
#include "ovsdb/replica.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace weft::ovsdb {
namespace {

namespace json = boost::json;

const std::string kA = "00000000-0000-0000-0000-00000000000a";
const std::string kB = "00000000-0000-0000-0000-00000000000b";
const std::string kC = "00000000-0000-0000-0000-00000000000c";

Uuid uuid(const std::string& text) {
    return *Uuid::parse(text);
}

/// 'a for "…a", so that updates stay readable.
json::value update(std::string text) {
    for (std::size_t at = 0; (at = text.find('\'')) != std::string::npos;) {
        text.replace(at, 2, "\"" + (text[at + 1] == 'a' ? kA : text[at + 1] == 'b' ? kB : kC) + "\"");
    }
    return json::parse(text);
}

Replica with(std::initializer_list<const char*> updates) {
    Replica replica;
    for (const char* text : updates) {
        const auto applied = replica.apply(update(text));
        EXPECT_TRUE(applied) << text << ": " << applied.error().text;
    }
    return replica;
}

TEST(Uuid, ReadsAndWrites) {
    EXPECT_EQ(Uuid::parse("C4F25E59-023e-47e7-924d-d8a7f699f937")->to_string(), "c4f25e59-023e-47e7-924d-d8a7f699f937");
    for (const auto* text : {"", "c4f25e59-023e-47e7-924d-d8a7f699f93", "c4f25e59-023e-47e7-924d-d8a7f699f9377",
                             "c4f25e59x023e-47e7-924d-d8a7f699f937", "g4f25e59-023e-47e7-924d-d8a7f699f937"}) {
        EXPECT_FALSE(Uuid::parse(text)) << text;
    }
}

TEST(Replica, TakesASnapshotWithDefaultsLeftOut) {
    const auto replica = with({R"({
        "Open_vSwitch": {'a: {"initial": {"next_cfg": 3, "cur_cfg": 2, "bridges": ["uuid",'b],
            "datapaths": ["map",[["netdev",["uuid",'c]]]], "ovs_version": "3.1.0"}}},
        "Bridge": {'b: {"initial": {"name": "br-int", "ports": ["set",[["uuid",'a],["uuid",'c]]],
            "protocols": "OpenFlow15", "external_ids": ["map",[["weft","h1"]]]}}},
        "Datapath": {'c: {"initial": {"capabilities": ["map",[["nd_ext","true"]]]}}}})"});
    const auto* root = replica.open_vswitch();
    ASSERT_TRUE(root);
    EXPECT_EQ(root->next_cfg, 3);
    EXPECT_EQ(root->cur_cfg, 2);
    EXPECT_EQ(root->ovs_version, "3.1.0");
    EXPECT_EQ(root->bridges, std::set{uuid(kB)});
    const auto* bridge = replica.named<Bridge>("br-int");
    ASSERT_TRUE(bridge);
    EXPECT_EQ(bridge->uuid, uuid(kB));
    EXPECT_EQ(bridge->ports, (std::set{uuid(kA), uuid(kC)}));
    EXPECT_EQ(bridge->protocols, std::set<std::string>{"OpenFlow15"});
    EXPECT_EQ(bridge->fail_mode, std::nullopt);
    EXPECT_EQ(bridge->datapath_type, "");
    EXPECT_EQ(replica.marked<Bridge>().size(), 1U);
    ASSERT_TRUE(replica.datapath("netdev"));
    EXPECT_EQ(replica.datapath("netdev")->capabilities.at("nd_ext"), "true");
    EXPECT_FALSE(replica.datapath("system"));
}

TEST(Replica, TogglesMembersOfSets) {
    const auto replica =
        with({R"({"Bridge": {'a: {"insert": {"name": "b", "ports": ["set",[["uuid",'a],["uuid",'b]]]}}}})",
              R"({"Bridge": {'a: {"modify": {"ports": ["set",[["uuid",'a],["uuid",'c]]]}}}})",
              R"({"Bridge": {'a: {"modify": {"ports": ["uuid",'b]}}}})",
              R"({"Bridge": {'a: {"modify": {"protocols": ["set",["OpenFlow14","OpenFlow15"]]}}}})",
              R"({"Bridge": {'a: {"modify": {"protocols": "OpenFlow14"}}}})"});
    EXPECT_EQ(replica.named<Bridge>("b")->ports, std::set{uuid(kC)});
    EXPECT_EQ(replica.named<Bridge>("b")->protocols, std::set<std::string>{"OpenFlow15"});
}

TEST(Replica, TogglesPairsOfMaps) {
    const auto replica = with(
        {R"({"Interface": {'a: {"insert": {"name": "i", "external_ids": ["map",[["a","1"],["b","2"],["c","3"]]]}}}})",
         R"({"Interface": {'a: {"modify": {"external_ids": ["map",[["a","1"],["b","x"],["d","4"]]]}}}})"});
    EXPECT_EQ(replica.named<Interface>("i")->external_ids, (StringMap{{"b", "x"}, {"c", "3"}, {"d", "4"}}));
}

TEST(Replica, ReplacesScalarsAndOptionals) {
    auto replica = with({R"({"Interface": {'a: {"insert": {"name": "i", "ofport": 5, "link_state": "up"}}}})",
                         R"({"Interface": {'a: {"modify": {"ofport": ["set",[7]], "type": "vxlan"}}}})"});
    EXPECT_EQ(replica.named<Interface>("i")->ofport, 7);
    EXPECT_EQ(replica.named<Interface>("i")->type, "vxlan");
    ASSERT_TRUE(
        replica.apply(update(R"({"Interface": {'a: {"modify": {"ofport": ["set",[]], "link_state": "up"}}}})")));
    EXPECT_EQ(replica.named<Interface>("i")->ofport, std::nullopt);
    EXPECT_EQ(replica.named<Interface>("i")->link_state, "up");
}

TEST(Replica, DeletesAndInsertsAnew) {
    auto replica = with({R"({"Port": {'a: {"insert": {"name": "p", "tag": 5}}, 'b: {"insert": {"name": "q"}}}})",
                         R"({"Port": {'a: {"delete": null}}})"});
    EXPECT_FALSE(replica.named<Port>("p"));
    EXPECT_TRUE(replica.named<Port>("q"));
    ASSERT_TRUE(replica.apply(update(R"({"Port": {'a: {"insert": {"name": "p"}}}})")));
    EXPECT_EQ(replica.named<Port>("p")->tag, std::nullopt);
    ASSERT_TRUE(replica.reset(json::object()));
    EXPECT_EQ(replica, Replica());
}

TEST(Replica, FindsTheInterfacesOfABridge) {
    const auto replica = with({R"({"Bridge": {'a: {"insert": {"name": "b", "ports": ["uuid",'b]}}},
                                   "Port": {'b: {"insert": {"name": "p", "interfaces": ["uuid",'c]}},
                                            'c: {"insert": {"name": "q", "interfaces": ["uuid",'a]}}},
                                   "Interface": {'c: {"insert": {"name": "i"}}, 'a: {"insert": {"name": "j"}}}})"});
    const auto interfaces = replica.interfaces_of(*replica.named<Bridge>("b"));
    ASSERT_EQ(interfaces.size(), 1U);
    EXPECT_EQ(interfaces[0]->name, "i");
    EXPECT_EQ(replica.bridge_of(*replica.named<Port>("p")), replica.named<Bridge>("b"));
    EXPECT_EQ(replica.bridge_of(*replica.named<Port>("q")), nullptr);
}

TEST(Replica, RefusesUpdatesThatDoNotFit) {
    for (const char* text : {
             R"([])",
             R"({"Nonsense": {}})",
             R"({"Bridge": []})",
             R"({"Bridge": {"x": {"insert": {}}}})",
             R"({"Bridge": {'b: 5}})",
             R"({"Bridge": {'b: {}}})",
             R"({"Bridge": {'b: {"insert": {}, "delete": null}}})",
             R"({"Bridge": {'b: {"invent": {}}}})",
             R"({"Bridge": {'b: {"insert": null}}})",
             R"({"Bridge": {'a: {"insert": {}}}})",
             R"({"Bridge": {'b: {"modify": {}}}})",
             R"({"Bridge": {'b: {"delete": null}}})",
             R"({"Bridge": {'b: {"insert": {"colour": "red"}}}})",
             R"({"Bridge": {'b: {"insert": {"name": 5}}}})",
             R"({"Bridge": {'b: {"insert": {"name": ["set",["x"]]}}}})",
             R"({"Bridge": {'b: {"insert": {"ports": "x"}}}})",
             R"({"Bridge": {'b: {"insert": {"ports": ["set",["x"]]}}}})",
             R"({"Bridge": {'b: {"insert": {"ports": ["set"]}}}})",
             R"({"Bridge": {'b: {"insert": {"ports": ["set",[["uuid","x"]]]}}}})",
             R"({"Bridge": {'b: {"insert": {"ports": ["set",[["uuid",'a],["uuid",'a]]]}}}})",
             R"({"Bridge": {'b: {"insert": {"fail_mode": ["set",["secure","standalone"]]}}}})",
             R"({"Bridge": {'b: {"insert": {"external_ids": ["map",[["a"]]]}}}})",
             R"({"Bridge": {'b: {"insert": {"external_ids": ["map",[["a","b"],["a","c"]]]}}}})",
             R"({"Bridge": {'b: {"insert": {"external_ids": ["map",{}]}}}})",
             R"({"Open_vSwitch": {'b: {"insert": {"next_cfg": 1.5}}}})",
             R"({"Open_vSwitch": {'b: {"insert": {"next_cfg": 99999999999999999999}}}})",
             R"({"Controller": {'b: {"insert": {"is_connected": 1}}}})",
         }) {
        auto replica = with({R"({"Bridge": {'a: {"insert": {"name": "b"}}}})"});
        const auto applied = replica.apply(update(text));
        ASSERT_FALSE(applied) << text;
        EXPECT_EQ(applied.error().kind, ErrorKind::protocol) << text;
    }
}

} // namespace
} // namespace weft::ovsdb
