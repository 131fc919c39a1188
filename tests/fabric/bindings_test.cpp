#include "fabric/bindings.hpp"
#include "tests/fabric/fixture.hpp"

namespace weft::fabric {
namespace {

Claim claim(const std::string& interface, const std::string& port, std::uint32_t ofport = 5) {
    return {interface, port, std::nullopt, ofport, ""};
}

class ClaimTableTest : public testing::Test {
  protected:
    std::string holder(const std::string& port) const {
        const auto bindings = table.bindings(*fixture.topology);
        const auto found = bindings.find(port);
        return found == bindings.end() ? "" : found->second.host;
    }
    Fixture fixture{kThreeHosts};
    ClaimTable table;
};

TEST_F(ClaimTableTest, AnInterfaceClaimsThePortThatItsIfaceIdNames) {
    table.observe("kvm1", {claim("tap0", "a"), claim("tap1", "nobody")});
    EXPECT_EQ(table.bindings(*fixture.topology), (Bindings{{"a", {{"kvm1", "tap0", 5}, std::nullopt}}}));
}

TEST_F(ClaimTableTest, WithoutAnIfaceIdThatNamesAPortTheAttachedMacDecides) {
    Claim by_mac{"vnet0", "5c1f0b8e-uuid-of-libvirt", Mac::parse("52:54:00:00:00:0b"), 7, ""};
    table.observe("kvm2", {by_mac});
    EXPECT_EQ(holder("b"), "kvm2");
}

TEST_F(ClaimTableTest, OfTwoClaimsTheNewestWinsAndTheOtherIsADuplicate) {
    table.observe("kvm1", {claim("tap0", "a")});
    table.observe("kvm2", {});
    table.observe("kvm2", {claim("tap9", "a")});
    EXPECT_EQ(holder("a"), "kvm2");
    const auto judged = table.judge(*fixture.topology).at("a");
    ASSERT_EQ(judged.size(), 2U);
    EXPECT_EQ(judged[1].host, "kvm1");
    EXPECT_FALSE(judged[1].holds);
    table.observe("kvm2", {});
    EXPECT_EQ(holder("a"), "kvm1");
}

TEST_F(ClaimTableTest, AfterARestartTheStoredHolderStaysWhicheverHostIsSeenFirst) {
    table.expect("a", "kvm1");
    EXPECT_EQ(holder("a"), "kvm1") << "believed before its host is seen";
    table.observe("kvm2", {claim("tap9", "a")});
    EXPECT_EQ(holder("a"), "kvm1");
    table.observe("kvm1", {claim("tap0", "a")});
    EXPECT_EQ(holder("a"), "kvm1");
}

TEST_F(ClaimTableTest, AStoredHolderWhoseClaimIsGoneYields) {
    table.expect("a", "kvm1");
    table.observe("kvm2", {claim("tap9", "a")});
    table.observe("kvm1", {});
    EXPECT_EQ(holder("a"), "kvm2");
}

TEST_F(ClaimTableTest, AnInterfaceThatLosesItsOfportForAWhileKeepsItsPort) {
    table.observe("kvm1", {claim("tap0", "a")});
    table.observe("kvm2", {});
    EXPECT_TRUE(table.observe("kvm1", {claim("tap0", "a", 0)}));
    EXPECT_EQ(table.bindings(*fixture.topology).at("a"), (Binding{{"kvm1", "tap0", 0}, std::nullopt}));
    EXPECT_FALSE(table.observe("kvm1", {claim("tap0", "a", 0)}));
}

TEST_F(ClaimTableTest, AHostThatLeftClaimsNothing) {
    table.observe("kvm1", {claim("tap0", "a")});
    table.forget("kvm1");
    EXPECT_EQ(holder("a"), "");
}

/// A VM that migrates from kvm1 to kvm2: both hosts have an interface of the same domain.
class MigrationTest : public ClaimTableTest {
  protected:
    static Claim nic(const std::string& interface, std::uint32_t ofport) {
        return {interface, "uuid-of-libvirt", Mac::parse("52:54:00:00:00:0b"), ofport, "", "vm-1", ""};
    }
    void SetUp() override {
        table.observe("kvm1", {});
        table.observe("kvm2", {});
        table.observe("kvm1", {nic("vnet0", 5)});
        table.note_running("kvm1", {"vm-1"});
        table.observe("kvm2", {nic("vnet7", 9)});
    }
    Binding binding() const { return table.bindings(*fixture.topology).at("b"); }
};

TEST_F(MigrationTest, UntilTheGuestIsThereTheSourceKeepsThePortAndTheDestinationIsKnown) {
    EXPECT_EQ(binding(), (Binding{{"kvm1", "vnet0", 5}, Plug{"kvm2", "vnet7", 9}}));
    const auto judged = table.judge(*fixture.topology).at("b");
    EXPECT_TRUE(judged.at(1).arriving);
    EXPECT_FALSE(judged.at(1).holds);
}

TEST_F(MigrationTest, LibvirtsWordThatItRunsThereMovesThePort) {
    EXPECT_FALSE(table.note_running("kvm2", {"another"}));
    EXPECT_EQ(holder("b"), "kvm1");
    EXPECT_TRUE(table.note_running("kvm2", {"vm-1"}));
    EXPECT_EQ(binding(), (Binding{{"kvm2", "vnet7", 9}, std::nullopt}));
    EXPECT_FALSE(table.note_running("kvm2", {"vm-1"})) << "once";
}

TEST_F(MigrationTest, ItsFirstFrameThereMovesThePort) {
    EXPECT_FALSE(table.note_spoke("kvm2", 8)) << "another interface";
    EXPECT_FALSE(table.note_spoke("kvm1", 5)) << "it is there already";
    EXPECT_TRUE(table.note_spoke("kvm2", 9));
    EXPECT_EQ(holder("b"), "kvm2");
    EXPECT_FALSE(table.note_spoke("kvm2", 9));
}

TEST_F(MigrationTest, TheEndOfTheSourcesInterfaceMovesThePort) {
    table.observe("kvm1", {});
    EXPECT_EQ(binding(), (Binding{{"kvm2", "vnet7", 9}, std::nullopt}));
}

TEST_F(MigrationTest, OneThatFailsLeavesThePortWhereItIs) {
    table.observe("kvm2", {});
    EXPECT_EQ(binding(), (Binding{{"kvm1", "vnet0", 5}, std::nullopt}));
}

TEST_F(MigrationTest, AndBackAgain) {
    table.note_running("kvm2", {"vm-1"});
    table.observe("kvm1", {});
    table.note_running("kvm1", {});
    table.observe("kvm1", {nic("vnet1", 6)});
    EXPECT_EQ(binding(), (Binding{{"kvm2", "vnet7", 9}, Plug{"kvm1", "vnet1", 6}}));
    table.note_running("kvm1", {"vm-1"});
    EXPECT_EQ(holder("b"), "kvm1");
}

TEST_F(MigrationTest, AnotherVmWithTheSameMacClaimsThePortOnlyWhereNobodyKnowsWhoseItIs) {
    auto clone = nic("vnet3", 4);
    clone.vm_id = "vm-2";
    table.observe("kvm3", {});
    table.observe("kvm3", {clone});
    EXPECT_EQ(holder("b"), "kvm3") << "of two claims the newest wins";
    const PortNics known{{"b", {*Mac::parse("52:54:00:00:00:0b"), "vm-1"}}};
    EXPECT_EQ(table.bindings(*fixture.topology, known).at("b").host, "kvm1");
    table.observe("kvm1", {});
    table.observe("kvm2", {});
    EXPECT_FALSE(table.bindings(*fixture.topology, known).contains("b"));
}

TEST_F(ClaimTableTest, WhereItsVmRunsAPortIsRatherThanAtAStoredHolderThatNobodyHasSeen) {
    table.expect("b", "kvm1");
    table.observe("kvm2", {{"vnet0", "uuid", Mac::parse("52:54:00:00:00:0b"), 7, "", "vm-1", ""}});
    EXPECT_EQ(holder("b"), "kvm1");
    table.note_running("kvm2", {"vm-1"});
    EXPECT_EQ(holder("b"), "kvm2");
}

TEST_F(MigrationTest, ARestartInTheMiddleOfItMovesNothing) {
    for (const bool source_first : {true, false}) {
        ClaimTable restarted;
        restarted.expect("b", "kvm1");
        restarted.observe(source_first ? "kvm1" : "kvm2", {source_first ? nic("vnet0", 5) : nic("vnet7", 9)});
        restarted.observe(source_first ? "kvm2" : "kvm1", {source_first ? nic("vnet7", 9) : nic("vnet0", 5)});
        const auto now = [&] { return restarted.bindings(*fixture.topology).at("b"); };
        EXPECT_EQ(now(), (Binding{{"kvm1", "vnet0", 5}, Plug{"kvm2", "vnet7", 9}})) << source_first;
        restarted.note_running("kvm1", {"vm-1"});
        EXPECT_EQ(now().host, "kvm1") << source_first;
        restarted.note_running("kvm2", {"vm-1"});
        EXPECT_EQ(now().host, "kvm2") << source_first;
    }
}

TEST_F(ClaimTableTest, APortThatIsNotServedIsBoundNowhere) {
    const auto mac = *Mac::parse("52:54:00:77:00:01");
    table.observe("kvm2", {{"vnet0", "uuid-of-libvirt", mac, 7, "", "vm-1", ""}});
    EXPECT_TRUE(table.judge(*fixture.topology, {{"not-in-the-topology", {mac, "vm-1"}}}).empty());
}

TEST_F(ClaimTableTest, AMacThatLibvirtToldOfAPortBindsIt) {
    const Claim nic{"vnet0", "uuid-of-libvirt", Mac::parse("52:54:00:77:00:01"), 7, "", "vm-1", ""};
    table.observe("kvm2", {nic});
    EXPECT_EQ(holder("a"), "");
    EXPECT_EQ(table.bindings(*fixture.topology, {{"a", {*Mac::parse("52:54:00:77:00:01"), "vm-1"}}}),
              (Bindings{{"a", {{"kvm2", "vnet0", 7}, std::nullopt}}}));
}

} // namespace
} // namespace weft::fabric
