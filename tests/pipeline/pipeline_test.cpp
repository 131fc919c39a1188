#include "pipeline/cookie.hpp"
#include "pipeline/stages.hpp"

#include <gtest/gtest.h>
#include <set>

namespace weft::pipeline {
namespace {

TEST(Stages, RiseInTableNumberAndHaveUniqueNames) {
    std::set<std::string_view> names;
    int previous = -1;
    for (const auto& entry : kStages) {
        EXPECT_GT(table_of(entry.stage), previous);
        previous = table_of(entry.stage);
        EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
        EXPECT_EQ(stage_named(entry.name), entry.stage);
    }
}

TEST(Stages, APacketGoesOnAtTheNextStageAndPastNatOut) {
    for (const auto& entry : kStages) {
        if (entry.stage >= Stage::output) continue;
        EXPECT_GT(after(entry.stage), entry.stage);
        EXPECT_NE(stage_of_table(table_of(after(entry.stage))), nullptr);
        EXPECT_NE(after(entry.stage), Stage::nat_out);
    }
    EXPECT_EQ(after(Stage::commit), Stage::output);
}

TEST(Cookie, NamesItsOwnerAndIsNeverZero) {
    const Owner owner{Kind::port, object_id(Kind::port, "web1"), Reason::spoofed_ip};
    EXPECT_EQ(owner_of(cookie(owner)), owner);
    EXPECT_NE(cookie(Owner{}), 0U);
    EXPECT_FALSE(owner_of(0));
    EXPECT_FALSE(owner_of(~std::uint64_t{0}));
}

TEST(Cookie, ReasonsKeepTheirNumbers) {
    EXPECT_EQ(static_cast<int>(Reason::spoofed_mac), 1);
    EXPECT_EQ(static_cast<int>(Reason::rate), 24);
    EXPECT_EQ(name_of(Reason::unknown_destination), "unknown_destination");
    EXPECT_EQ(name_of(Reason::rate), "rate");
}

} // namespace
} // namespace weft::pipeline
