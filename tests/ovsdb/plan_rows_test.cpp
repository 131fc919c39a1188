// plan_rows without a server: replicas given as updates, the transaction as its operations.
#include "ovsdb/plan_rows.hpp"

#include "ovsdb/plan_shapers.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::ovsdb {
namespace {

namespace json = boost::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A number as a UUID: what tells rows apart in these tests.
std::string uuid(int number) {
    return fmt::format("00000000-0000-0000-0000-{:012}", number);
}

class Rows {
  public:
    Rows() { root(R"({"next_cfg": 1})"); }
    Rows& root(const std::string& columns) { return row("Open_vSwitch", 1, columns); }
    Rows& row(const std::string& table, int number, std::string columns) {
        for (std::size_t at = 0; (at = columns.find('#')) != std::string::npos;) {
            const std::size_t end = columns.find_first_not_of("0123456789", at + 1);
            const int other = std::stoi(columns.substr(at + 1, end - at - 1));
            columns.replace(at, end - at, R"(["uuid",")" + uuid(other) + "\"]");
        }
        json::object initial;
        initial["initial"] = json::parse(columns);
        updates_[table].is_null() ? updates_[table].emplace_object() : updates_[table].as_object();
        updates_[table].as_object()[uuid(number)] = std::move(initial);
        return *this;
    }
    Replica replica() const {
        Replica replica;
        const auto applied = replica.apply(updates_);
        EXPECT_TRUE(applied) << applied.error().text;
        return replica;
    }

  private:
    json::object updates_;
};

DesiredRows desired() {
    DesiredRows rows;
    rows.owner_mark = "h1";
    rows.bridge = {"br-int", "netdev", "00000000000000a1", {"tcp:192.0.2.9:6653"}, {"OpenFlow14", "OpenFlow15"}};
    rows.ports["weft-vxlan"] = {"weft-vxlan",
                                "vxlan",
                                {{"key", "flow"}, {"remote_ip", "flow"}, {"local_ip", "192.0.2.1"}},
                                {},
                                {{"weft-role", "vxlan"}}};
    return rows;
}

/// What desired() looks like once it is there.
Rows in_place() {
    Rows rows;
    rows.root(R"({"next_cfg": 1, "bridges": #2, "datapaths": ["map",[["netdev",#3]]]})")
        .row("Datapath", 3, R"({"external_ids": ["map",[["weft","h1"]]]})")
        .row("Bridge", 2, R"({"name": "br-int", "datapath_type": "netdev", "ports": ["set",[#4,#5]], "controller": #6,
            "fail_mode": "secure", "protocols": ["set",["OpenFlow14","OpenFlow15"]],
            "external_ids": ["map",[["weft","h1"]]],
            "other_config": ["map",[["datapath-id","00000000000000a1"],["disable-in-band","true"],["x","y"]]]})")
        .row("Controller", 6, R"({"target": "tcp:192.0.2.9:6653", "connection_mode": "out-of-band",
            "max_backoff": 1000, "inactivity_probe": 10000, "external_ids": ["map",[["weft","h1"]]]})")
        .row("Port", 4, R"({"name": "br-int", "interfaces": #7, "external_ids": ["map",[["weft","h1"]]]})")
        .row("Interface", 7, R"({"name": "br-int", "type": "internal", "external_ids": ["map",[["weft","h1"]]]})")
        .row("Port", 5, R"({"name": "weft-vxlan", "interfaces": #8, "external_ids": ["map",[["weft","h1"]]]})")
        .row("Interface", 8, R"({"name": "weft-vxlan", "type": "vxlan",
            "options": ["map",[["key","flow"],["local_ip","192.0.2.1"],["remote_ip","flow"]]],
            "external_ids": ["map",[["weft","h1"],["weft-role","vxlan"],["monitored-by","someone"]]]})");
    return rows;
}

Transaction plan(const Rows& rows, const DesiredRows& want) {
    const auto transaction = plan_rows(rows.replica(), want);
    EXPECT_TRUE(transaction) << transaction.error().text;
    return transaction.value_or(Transaction{});
}

std::string refusal(const Rows& rows, const DesiredRows& want, ErrorKind kind = ErrorKind::refused) {
    const auto transaction = plan_rows(rows.replica(), want);
    EXPECT_FALSE(transaction);
    if (transaction) return {};
    EXPECT_EQ(transaction.error().kind, kind);
    return transaction.error().text;
}

TEST(PlanRows, MakesTheBridgeWithEverythingAtOnce) {
    auto want = desired();
    want.bridge.controllers = {"tcp:192.0.2.9:6653", "tcp:192.0.2.8:6653", "tcp:192.0.2.9:6653"};
    const auto transaction = plan(Rows(), want);
    EXPECT_TRUE(transaction.reconfigures);
    EXPECT_THAT(transaction.changes, ElementsAre("create the Datapath row of netdev", "create bridge br-int"));
    const std::string golden = R"(
{"op":"insert","table":"Datapath","uuid-name":"row1","row":{"external_ids":["map",[["weft","h1"]]]}}
{"op":"mutate","table":"Open_vSwitch","where":[["_uuid","==",["uuid","00000000-0000-0000-0000-000000000001"]]],"mutations":[["datapaths","insert",["map",[["netdev",["named-uuid","row1"]]]]]]}
{"op":"insert","table":"Controller","uuid-name":"row2","row":{"target":"tcp:192.0.2.8:6653","connection_mode":"out-of-band","max_backoff":1000,"inactivity_probe":10000,"external_ids":["map",[["weft","h1"]]]}}
{"op":"insert","table":"Controller","uuid-name":"row3","row":{"target":"tcp:192.0.2.9:6653","connection_mode":"out-of-band","max_backoff":1000,"inactivity_probe":10000,"external_ids":["map",[["weft","h1"]]]}}
{"op":"insert","table":"Interface","uuid-name":"row4","row":{"name":"br-int","type":"internal","options":["map",[]],"bfd":["map",[]],"external_ids":["map",[["weft","h1"]]]}}
{"op":"insert","table":"Port","uuid-name":"row5","row":{"name":"br-int","interfaces":["set",[["named-uuid","row4"]]],"external_ids":["map",[["weft","h1"]]]}}
{"op":"insert","table":"Interface","uuid-name":"row6","row":{"name":"weft-vxlan","type":"vxlan","options":["map",[["key","flow"],["local_ip","192.0.2.1"],["remote_ip","flow"]]],"bfd":["map",[]],"external_ids":["map",[["weft","h1"],["weft-role","vxlan"]]]}}
{"op":"insert","table":"Port","uuid-name":"row7","row":{"name":"weft-vxlan","interfaces":["set",[["named-uuid","row6"]]],"external_ids":["map",[["weft","h1"]]]}}
{"op":"insert","table":"Bridge","uuid-name":"row8","row":{"name":"br-int","datapath_type":"netdev","fail_mode":"secure","protocols":["set",["OpenFlow14","OpenFlow15"]],"other_config":["map",[["datapath-id","00000000000000a1"],["disable-in-band","true"]]],"external_ids":["map",[["weft","h1"]]],"controller":["set",[["named-uuid","row2"],["named-uuid","row3"]]],"ports":["set",[["named-uuid","row5"],["named-uuid","row7"]]]}}
{"op":"mutate","table":"Open_vSwitch","where":[["_uuid","==",["uuid","00000000-0000-0000-0000-000000000001"]]],"mutations":[["bridges","insert",["set",[["named-uuid","row8"]]]]]}
{"op":"comment","comment":"weft: create the Datapath row of netdev; create bridge br-int"}
{"op":"mutate","table":"Open_vSwitch","where":[],"mutations":[["next_cfg","+=",1]]}
{"op":"select","table":"Open_vSwitch","where":[],"columns":["next_cfg"]}
)";
    EXPECT_EQ(fmt::format("\n{}\n", fmt::join(transaction.operations, "\n")), golden);
}

TEST(PlanRows, DoesNothingWhenEverythingIsInPlace) {
    EXPECT_EQ(plan(in_place(), desired()), Transaction{});
}

TEST(PlanRows, RestoresWhatDrifted) {
    auto rows = in_place();
    rows.row("Bridge", 2, R"({"name": "br-int", "datapath_type": "netdev", "ports": ["set",[#4,#5]], "controller": #6,
        "fail_mode": "standalone", "protocols": "OpenFlow13", "external_ids": ["map",[["weft","old"],["a","b"]]]})");
    rows.row("Controller", 6, R"({"target": "tcp:192.0.2.9:6653", "external_ids": ["map",[["weft","h1"]]]})");
    rows.row("Port", 5, R"({"name": "weft-vxlan", "interfaces": #8, "tag": 5})");
    rows.row("Interface", 8, R"({"name": "weft-vxlan", "type": "gre", "bfd": ["map",[["enable","true"]]],
        "external_ids": ["map",[["weft","h1"],["weft-stale","x"]]]})");
    EXPECT_THAT(plan(rows, desired()).changes,
                ElementsAre("set fail_mode, protocols of Bridge br-int",
                            "set other_config:datapath-id, disable-in-band of Bridge br-int",
                            "set external_ids:weft of Bridge br-int",
                            "set connection_mode, max_backoff, inactivity_probe of Controller tcp:192.0.2.9:6653",
                            "set external_ids:weft of Port weft-vxlan", "set tag of Port weft-vxlan",
                            "set type, options, bfd of Interface weft-vxlan",
                            "set external_ids:weft-role, weft-stale of Interface weft-vxlan"));
}

TEST(PlanRows, ExchangesControllersInOneMutation) {
    auto want = desired();
    want.bridge.controllers = {"tcp:192.0.2.7:6653"};
    const auto transaction = plan(in_place(), want);
    EXPECT_THAT(transaction.changes, ElementsAre("add controller tcp:192.0.2.7:6653 to br-int",
                                                 "remove controller tcp:192.0.2.9:6653 from br-int"));
    EXPECT_THAT(transaction.operations.at(1),
                HasSubstr(R"("mutations":[["controller","insert",["set",[["named-uuid","row1"]]]],)"
                          R"(["controller","delete",["set",[["uuid",")" +
                          uuid(6) + R"("]]]]])"));
}

TEST(PlanRows, ReplacesControllersSetByHand) {
    auto rows = in_place();
    rows.row("Controller", 6, R"({"target": "tcp:192.0.2.9:6653"})");
    EXPECT_THAT(plan(rows, desired()).changes, ElementsAre("add controller tcp:192.0.2.9:6653 to br-int",
                                                           "remove controller tcp:192.0.2.9:6653 from br-int"));
}

TEST(PlanRows, TellsAnotherWeftdsControllersFromThoseSetByHand) {
    EXPECT_THAT(other_controllers(in_place().replica(), desired()), IsEmpty());
    auto want = desired();
    want.bridge.controllers = {"tcp:192.0.2.8:6653"};
    EXPECT_THAT(other_controllers(in_place().replica(), want), ElementsAre("tcp:192.0.2.9:6653"));
    auto rows = in_place();
    rows.row("Controller", 6, R"({"target": "tcp:192.0.2.9:6653"})");
    EXPECT_THAT(other_controllers(rows.replica(), want), IsEmpty());
}

TEST(PlanRows, RefusesABridgeOrPortThatIsNotWefts) {
    Rows rows;
    rows.row("Bridge", 2, R"({"name": "br-int"})");
    EXPECT_THAT(refusal(rows, desired()), HasSubstr("ovs-vsctl set bridge br-int external_ids:weft=h1"));

    auto ports = in_place();
    ports.row("Port", 5, R"({"name": "weft-vxlan", "interfaces": #8})")
        .row("Interface", 8, R"({"name": "weft-vxlan"})");
    EXPECT_THAT(refusal(ports, desired()), HasSubstr("ovs-vsctl set port weft-vxlan external_ids:weft=h1"));
}

TEST(PlanRows, TakesOverABridgeThatWasHandedOver) {
    auto rows = in_place();
    rows.row("Port", 4, R"({"name": "br-int", "interfaces": #7})").row("Interface", 7, R"({"name": "br-int"})");
    EXPECT_EQ(plan(rows, desired()), Transaction{});
}

TEST(PlanRows, RefusesContradictions) {
    auto want = desired();
    want.uplinks = {{"physnet1", "br-int"}};
    EXPECT_THAT(refusal(Rows(), want, ErrorKind::invalid), HasSubstr("physnet1"));
    want.uplinks = {{"physnet1", "eth1"}, {"physnet2", "eth1"}};
    EXPECT_THAT(refusal(Rows(), want, ErrorKind::invalid), HasSubstr("eth1"));
    want = desired();
    want.interface_keys["vnet0"] = {{"iface-id", "web1"}};
    EXPECT_THAT(refusal(Rows(), want, ErrorKind::invalid), HasSubstr("iface-id"));
}

TEST(PlanRows, JoinsAnUplinkBridgeByPatchPortsAndANicAsAPort) {
    auto rows = in_place();
    rows.row("Bridge", 20, R"({"name": "br-ex"})");
    auto want = desired();
    want.uplinks = {{"physnet1", "br-ex"}, {"physnet2", "eth2"}};
    const auto transaction = plan(rows, want);
    EXPECT_THAT(transaction.changes, ElementsAre("add port eth2 to br-int", "add port weft-physnet1 to br-int",
                                                 "add port weft-physnet1-p to br-ex"));
    EXPECT_THAT(transaction.operations.at(0),
                HasSubstr(R"("external_ids":["map",[["weft","h1"],["weft-uplink","physnet2"]]])"));
    EXPECT_THAT(transaction.operations.at(3),
                HasSubstr(R"("type":"patch","options":["map",[["peer","weft-physnet1-p"]]])"));
}

TEST(PlanRows, GivesPatchPortsShortDistinctNames) {
    const std::map<std::string, DesiredPort> taken{{"weft-vxlan", {}}};
    EXPECT_EQ(patch_names("physnet1", {}), std::pair(std::string("weft-physnet1"), std::string("weft-physnet1-p")));
    for (const auto* physnet : {"physical-network-1", "vxlan"}) {
        const auto [near, far] = patch_names(physnet, taken);
        EXPECT_LE(far.size(), 15U);
        EXPECT_FALSE(taken.contains(near));
        EXPECT_EQ(far, near + "-p");
    }
    EXPECT_NE(patch_names("physical-network-1", {}), patch_names("physical-network-2", {}));
}

TEST(PlanRows, RemovesMarkedRowsThatAreNoLongerWanted) {
    auto rows = in_place();
    rows.root(R"({"bridges": ["set",[#2,#20,#30]], "datapaths": ["map",[["netdev",#3],["system",#31]]]})")
        .row("Datapath", 31, R"({"external_ids": ["map",[["weft","h1"]]]})")
        .row("Bridge", 20, R"({"name": "br-ex", "ports": ["set",[#21,#22]]})")
        .row("Port", 21, R"({"name": "weft-old-p", "interfaces": #23, "external_ids": ["map",[["weft","h1"]]]})")
        .row("Interface", 23, R"({"name": "weft-old-p", "type": "patch", "external_ids": ["map",[["weft","h1"]]]})")
        .row("Port", 22, R"({"name": "eth1", "interfaces": #24})")
        .row("Interface", 24, R"({"name": "eth1"})")
        .row("Bridge", 30, R"({"name": "br-old", "external_ids": ["map",[["weft","h1"]]]})");
    EXPECT_THAT(plan(rows, desired()).changes, ElementsAre("remove bridge br-old", "remove the Datapath row of system",
                                                           "remove port weft-old-p from br-ex"));
}

TEST(PlanRows, MovesThePortsOfARenamedBridge) {
    auto want = desired();
    want.bridge.name = "br-weft";
    EXPECT_THAT(plan(in_place(), want).changes, ElementsAre("remove bridge br-int", "create bridge br-weft"));
}

TEST(PlanRows, SetsAndTakesBackKeysOfBoundInterfaces) {
    auto rows = in_place();
    rows.row("Bridge", 20, R"({"name": "br-x", "ports": ["set",[#21,#22]]})")
        .row("Port", 21, R"({"name": "vnet0", "interfaces": #23})")
        .row("Interface", 23, R"({"name": "vnet0", "external_ids": ["map",[["iface-id","web1"],["weft-ready","no"]]]})")
        .row("Port", 22, R"({"name": "vnet1", "interfaces": #24})")
        .row("Interface", 24, R"({"name": "vnet1", "external_ids": ["map",[["weft-ready","yes"]]]})");
    auto want = desired();
    want.interface_keys = {{"vnet0", {{"weft-ready", "yes"}}}, {"vnet9", {{"weft-ready", "yes"}}}};
    const auto transaction = plan(rows, want);
    EXPECT_FALSE(transaction.reconfigures);
    EXPECT_THAT(transaction.changes, ElementsAre("set external_ids:weft-ready of Interface vnet0",
                                                 "set external_ids:weft-ready of Interface vnet1"));
    ASSERT_EQ(transaction.operations.size(), 3U);
    EXPECT_THAT(transaction.operations[0], HasSubstr(R"([["external_ids","delete",["set",["weft-ready"]]],)"
                                                     R"(["external_ids","insert",["map",[["weft-ready","yes"]]]]])"));
    EXPECT_THAT(transaction.operations[1],
                HasSubstr(R"("mutations":[["external_ids","delete",["set",["weft-ready"]]]])"));
}

/// vnet0 of the bridge, to be shaped; its QoS row as `qos` says.
Rows with_vnet0(const std::string& qos) {
    auto rows = in_place();
    rows.row("Bridge", 2, R"({"name": "br-int", "datapath_type": "netdev", "ports": ["set",[#4,#5,#22]],
            "controller": #6, "fail_mode": "secure", "protocols": ["set",["OpenFlow14","OpenFlow15"]],
            "external_ids": ["map",[["weft","h1"]]],
            "other_config": ["map",[["datapath-id","00000000000000a1"],["disable-in-band","true"]]]})")
        .row("Port", 22, R"({"name": "vnet0", "interfaces": #23)" + qos + "}")
        .row("Interface", 23, R"({"name": "vnet0"})");
    return rows;
}

/// Its QoS row 40 with queue row 41, weft's.
Rows with_shaped_vnet0() {
    auto rows = with_vnet0(R"(, "qos": #40)");
    rows.row("QoS", 40, R"({"type": "linux-htb", "other_config": ["map",[["max-rate","1000"]]],
            "queues": ["map",[[0,#41]]], "external_ids": ["map",[["weft","h1"]]]})")
        .row("Queue", 41,
             R"({"other_config": ["map",[["max-rate","1000"]]], "external_ids": ["map",[["weft","h1"]]]})");
    return rows;
}

DesiredRows shaping(const std::string& rate = "1000") {
    auto want = desired();
    want.shapers = {{"vnet0", {{{"max-rate", rate}}, {{0, {{"max-rate", rate}}}}}}};
    return want;
}

TEST(PlanRows, ShapesAPortThatIsNotItsOwn) {
    const auto transaction = plan(with_vnet0(""), shaping());
    EXPECT_TRUE(transaction.reconfigures);
    EXPECT_EQ(transaction.tidied, 0U);
    EXPECT_THAT(transaction.changes, ElementsAre("set qos of Port vnet0"));
    EXPECT_EQ(
        fmt::format("\n{}\n{}\n{}\n", transaction.operations[0], transaction.operations[1], transaction.operations[2]),
        R"(
{"op":"insert","table":"Queue","uuid-name":"row1","row":{"other_config":["map",[["max-rate","1000"]]],"external_ids":["map",[["weft","h1"]]]}}
{"op":"insert","table":"QoS","uuid-name":"row2","row":{"type":"linux-htb","other_config":["map",[["max-rate","1000"]]],"queues":["map",[[0,["named-uuid","row1"]]]],"external_ids":["map",[["weft","h1"]]]}}
{"op":"update","table":"Port","where":[["_uuid","==",["uuid","00000000-0000-0000-0000-000000000022"]]],"row":{"qos":["set",[["named-uuid","row2"]]]}}
)");
    EXPECT_TRUE(plan(with_shaped_vnet0(), shaping()).empty());
}

TEST(PlanRows, CountsWhatIsDoneToRowsWithoutItsOwnAccount) {
    EXPECT_EQ(plan(Rows(), desired()).rows, (RowCounts{.add = 7, .change = 2, .remove = 0}));
    EXPECT_EQ(plan(in_place(), desired()).rows, RowCounts{});
    EXPECT_EQ(plan(with_vnet0(""), shaping()).rows, (RowCounts{.add = 2, .change = 1, .remove = 0}));
    const auto taken_off = plan(with_shaped_vnet0(), desired());
    EXPECT_EQ(taken_off.rows, (RowCounts{.add = 0, .change = 1, .remove = 2}));
    EXPECT_EQ(taken_off.operations.size(), taken_off.rows.total() + 3) << "the comment, and next_cfg twice";
}

TEST(PlanRows, ChangesAShaperInPlace) {
    EXPECT_THAT(plan(with_shaped_vnet0(), shaping("2000")).changes,
                ElementsAre("set other_config of QoS of vnet0", "set other_config of Queue 0 of vnet0"));
    auto want = shaping();
    want.shapers["vnet0"].queues = {{7, {{"min-rate", "5"}}}};
    EXPECT_THAT(plan(with_shaped_vnet0(), want).changes,
                ElementsAre("add queue 7 to vnet0", "remove queue 0 from vnet0",
                            "remove a Queue row that is not in use any more"));
}

TEST(PlanRows, LeavesTheQosOfSomebodyElseAlone) {
    auto rows = with_vnet0(R"(, "qos": #50)");
    rows.row("QoS", 50, R"({"type": "linux-htb"})");
    EXPECT_TRUE(plan(rows, shaping()).empty());
    EXPECT_TRUE(plan(rows, desired()).empty());
    EXPECT_TRUE(cleanup_rows(with_vnet0("").replica()).changes.front() == "remove bridge br-int");
    EXPECT_EQ(shaper_of(rows.replica(), "vnet0"), Shaper::foreign);
    EXPECT_EQ(shaper_of(with_shaped_vnet0().replica(), "vnet0"), Shaper::weft);
    EXPECT_EQ(shaper_of(with_vnet0("").replica(), "vnet0"), Shaper::none);
}

TEST(PlanRows, TakesAShaperOffWithItsRows) {
    EXPECT_THAT(plan(with_shaped_vnet0(), desired()).changes,
                ElementsAre("set qos of Port vnet0", "remove a QoS row that is not in use any more",
                            "remove a Queue row that is not in use any more"));
    EXPECT_THAT(cleanup_rows(with_shaped_vnet0().replica()).changes,
                testing::Contains("remove a QoS row that is not in use any more"));
}

TEST(PlanRows, KeepsShapersWhileItIsNotKnownWhoIsPluggedIn) {
    auto want = desired();
    want.keeps_shapers = true;
    EXPECT_TRUE(plan(with_shaped_vnet0(), want).empty());
}

TEST(PlanRows, TidiesUpAfterAPortThatIsGone) {
    auto rows = in_place();
    rows.row("QoS", 40,
             R"({"type": "linux-htb", "queues": ["map",[[0,#41]]], "external_ids": ["map",[["weft","h1"]]]})")
        .row("Queue", 41, R"({"external_ids": ["map",[["weft","h1"]]]})")
        .row("Queue", 42, R"({"external_ids": ["map",[["weft","h1"]]]})")
        .row("QoS", 50, R"({"type": "linux-htb", "queues": ["map",[[3,#42]]]})");
    const auto transaction = plan(rows, shaping());
    EXPECT_THAT(transaction.changes, ElementsAre("remove a QoS row that is not in use any more",
                                                 "remove a Queue row that is not in use any more"));
    EXPECT_EQ(transaction.tidied, transaction.changes.size());
    EXPECT_FALSE(transaction.reconfigures);
}

TEST(PlanRows, APortOfAnotherBridgeIsNotShaped) {
    auto rows = in_place();
    rows.row("Bridge", 20, R"({"name": "br-x", "ports": #22})")
        .row("Port", 22, R"({"name": "vnet0", "interfaces": #23})")
        .row("Interface", 23, R"({"name": "vnet0"})");
    EXPECT_TRUE(plan(rows, shaping()).empty());
}

TEST(PlanRows, TryingAgainChangesNoRow) {
    const auto transaction = try_again();
    EXPECT_TRUE(transaction.reconfigures);
    // A comment, next_cfg, and its new value.
    EXPECT_THAT(transaction.operations, ElementsAre(HasSubstr("comment"), HasSubstr("next_cfg"), HasSubstr("select")));
}

TEST(PlanRows, CleansAHostThatLeft) {
    auto rows = in_place();
    rows.root(R"({"bridges": ["set",[#2,#20]], "datapaths": ["map",[["netdev",#3]]]})")
        .row("Bridge", 20, R"({"name": "br-ex", "ports": ["set",[#21,#22]]})")
        .row("Port", 21, R"({"name": "weft-p-p", "interfaces": #23, "external_ids": ["map",[["weft","h1"]]]})")
        .row("Interface", 23,
             R"({"name": "weft-p-p", "type": "patch", "external_ids": ["map",[["weft","h1"],["weft-x","y"]]]})")
        .row("Port", 22, R"({"name": "vnet0", "interfaces": #24})")
        .row("Interface", 24,
             R"({"name": "vnet0", "external_ids": ["map",[["weft-ready","yes"],["iface-id","web1"]]]})");
    const auto transaction = cleanup_rows(rows.replica());
    EXPECT_THAT(transaction.changes,
                ElementsAre("remove bridge br-int", "remove port weft-p-p from br-ex",
                            "remove the Datapath row of netdev", "set external_ids:weft-ready of Interface vnet0"));
    EXPECT_TRUE(cleanup_rows(Rows().replica()).empty());
}

} // namespace
} // namespace weft::ovsdb
