#include "topology/ids.hpp"

#include "base/ids.hpp"
#include "tests/topology/texts.hpp"

#include <gmock/gmock.h>

namespace weft::topology {
namespace {

using ::testing::HasSubstr;

TEST(Ids, GroupNumbersFoldTheObjectIdInto24Bits) {
    const auto id = object_id(Kind::network, "private1").value;
    EXPECT_EQ(group_number("private1"), ((id & 0xffffff) ^ (id >> 24)));
    EXPECT_NE(group_number("private1"), 0U);
    EXPECT_LE(group_number("private1"), 0xffffffU);
}

TEST(Ids, TwoPortsWithTheSameIdAreAnError) {
    ASSERT_EQ(object_id(Kind::port, "p2639173"), object_id(Kind::port, "p17198289")); // found by trying 30 million
    EXPECT_EQ(problems_of("[[network]]\nname = \"n\"\nkind = \"vxlan\"\n"
                          "[[port]]\nname = \"p2639173\"\nnetwork = \"n\"\n"
                          "[[port]]\nname = \"p17198289\"\nnetwork = \"n\"\n"),
              R"(t.toml:7:1: error: port 'p17198289' gets the same number on the switches as 'p2639173'
   7 | [[port]]
     | ^
     = rename one of them
t.toml:4:1: note: the other is here
   4 | [[port]]
     | ^
)");
}

TEST(Ids, TwoNetworksWithTheSameGroupNumberAreAnError) {
    std::map<std::uint32_t, std::string> names;
    for (int i = 0;; ++i) {
        const auto name = "n" + std::to_string(i);
        const auto [other, added] = names.emplace(group_number(name), name);
        if (added) continue;
        const auto text = "[[network]]\nname = \"" + other->second + "\"\nkind = \"vxlan\"\n[[network]]\nname = \"" +
                          name + "\"\nkind = \"vxlan\"\n";
        EXPECT_THAT(problems_of(text), HasSubstr("gets the same number on the switches"));
        return;
    }
}

} // namespace
} // namespace weft::topology
