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
    EXPECT_EQ(table.bindings(*fixture.topology), (Bindings{{"a", {"kvm1", "tap0", 5}}}));
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
    EXPECT_EQ(table.bindings(*fixture.topology).at("a"), (Binding{"kvm1", "tap0", 0}));
    EXPECT_FALSE(table.observe("kvm1", {claim("tap0", "a", 0)}));
}

TEST_F(ClaimTableTest, AHostThatLeftClaimsNothing) {
    table.observe("kvm1", {claim("tap0", "a")});
    table.forget("kvm1");
    EXPECT_EQ(holder("a"), "");
}

} // namespace
} // namespace weft::fabric
