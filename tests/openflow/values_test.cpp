#include "openflow/message.hpp"
#include "openflow/table.hpp"
#include "tests/openflow/generate.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weft::openflow {
namespace {

// Names and widths against Open vSwitch's own: initialize_codec() asserts them.
TEST(Field, HasAWidthAndAFullMask) {
    EXPECT_EQ(width_of(Field::vlan_vid), 12U);
    EXPECT_EQ(width_of(Field::ip_frag), 2U);
    EXPECT_TRUE(full_mask(Field::ct_label) == ~Bits{0});
    EXPECT_TRUE(bits(Ip::v4(0x0a000001)) == 0x0a000001);
}

TEST(Match, IsEqualHoweverItWasBuilt) {
    EXPECT_EQ(Match{}.in_port(1).ipv4(), Match{}.ipv4().in_port(1));
    EXPECT_EQ(Match{}.metadata(5).set(Field::metadata, 0, 0), Match{});
    EXPECT_EQ(Match{}.set(Field::reg0, 0xff, 0x0f), Match{}.set(Field::reg0, 0x0f, 0x0f));
    EXPECT_EQ(Match{}.ip_dst(*Prefix::parse("10.1.2.3/8")), Match{}.ip_dst(*Prefix::parse("10.0.0.0/8")));
    EXPECT_EQ(Match{}.ip_dst(*Prefix::parse("0.0.0.0/0")), Match{}.ipv4());
}

TEST(Match, FoldsWideRegistersAndVlanFields) {
    EXPECT_EQ(Match{}.set(Field::xreg1, 0x5'0000'0007), Match{}.set(Field::reg2, 5).set(Field::reg3, 7));
    EXPECT_EQ(Match{}.set(Field::xxreg0, 9, 0xf), Match{}.set(Field::reg3, 9, 0xf));
    EXPECT_EQ(Match{}.set(Field::vlan_vid, 100), Match{}.vlan(100));
    EXPECT_EQ(Match{}.set(Field::vlan_vid, 100).set(Field::vlan_pcp, 3), Match{}.set(Field::vlan_tci, 0x7064));
    EXPECT_EQ(Match{}.set(Field::vlan_pcp, 3).set(Field::vlan_vid, 100), Match{}.set(Field::vlan_tci, 0x7064));
    EXPECT_EQ(Match{}.set(Field::vlan_vid, 100).set(Field::vlan_vid, 0, 0), Match{});
    EXPECT_EQ(Match{}.untagged(), Match{}.set(Field::vlan_tci, 0, 0x1000));
}

RC_GTEST_PROP(Diff, AppliedToBeforeGivesAfter, ()) {
    std::vector<Flow> before, after;
    for (int i = *rc::gen::inRange(0, 8); i > 0; --i) {
        Flow flow = generate::flow();
        flow.priority = static_cast<std::uint16_t>(i);
        const int fate = *rc::gen::inRange(0, 4);
        if (fate != 0) before.push_back(flow);
        if (fate == 1) flow.cookie ^= 8;
        if (fate != 2) after.push_back(flow);
    }
    const FlowDelta delta = diff(before, after);
    std::vector<Flow> result;
    for (const Flow& flow : before) {
        const auto same_key = [&](const Flow& o) {
            return o.table == flow.table && o.priority == flow.priority && o.match == flow.match;
        };
        if (!std::ranges::any_of(delta.remove, same_key) && !std::ranges::any_of(delta.change, same_key))
            result.push_back(flow);
    }
    result.insert(result.end(), delta.add.begin(), delta.add.end());
    result.insert(result.end(), delta.change.begin(), delta.change.end());
    RC_ASSERT(std::ranges::is_permutation(result, after));
    RC_ASSERT(diff(after, after).empty());
    RC_ASSERT(diff(before, before).empty());
}

TEST(Diff, AForeignFlowIsAlwaysRemovedAndNeverTakenForOurs) {
    const Flow wanted{.table = 1, .priority = 2, .cookie = 3, .match = {}, .actions = {}};
    Flow foreign = wanted;
    foreign.foreign = "table=1,priority=2,idle_timeout=5 actions=drop";
    const FlowDelta delta = diff(std::vector{foreign}, std::vector{wanted});
    EXPECT_EQ(delta.add, std::vector{wanted});
    EXPECT_EQ(delta.remove, std::vector{foreign});
    EXPECT_EQ(digest(foreign).key, digest(wanted).key);
    EXPECT_NE(digest(foreign).body, digest(wanted).body);
}

TEST(Diff, GroupsAndMetersGoById) {
    const std::vector<MeterEntry> before{{.id = 1, .rate = 5}, {.id = 2, .rate = 5}},
        after{{.id = 2, .rate = 6}, {.id = 3, .rate = 5}};
    const MeterDelta delta = diff(before, after);
    EXPECT_EQ(delta.add, std::vector{after[1]});
    EXPECT_EQ(delta.change, std::vector{after[0]});
    EXPECT_EQ(delta.remove, std::vector<std::uint32_t>{1});
}

} // namespace
} // namespace weft::openflow
