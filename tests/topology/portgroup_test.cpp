#include "topology/portgroup.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weft::topology {
namespace {

TEST(Portgroup, NamesGroupsAndQos) {
    EXPECT_EQ(portgroup_name({}), "-");
    EXPECT_EQ(portgroup_name(port_profile({"web"}, "")), "web");
    EXPECT_EQ(portgroup_name(port_profile({"web", "ssh", "web"}, "")), "ssh+web");
    EXPECT_EQ(portgroup_name(port_profile({}, "gold")), "@gold");
    EXPECT_EQ(portgroup_name(port_profile({"web"}, "gold")), "web@gold");
}

TEST(Portgroup, RefusesWhatItNeverWrites) {
    for (const auto* name : {"", "+", "web+", "+web", "web+ssh", "web+web", "web@", "@", "web@a@b", "-+web", "web@-"})
        EXPECT_FALSE(parse_portgroup(name)) << name;
}

RC_GTEST_PROP(Portgroup, ReadsWhatItWrites, ()) {
    const auto name = rc::gen::nonEmpty(
        rc::gen::container<std::string>(rc::gen::oneOf(rc::gen::inRange('a', 'd'), rc::gen::element('.', '_'))));
    const auto profile = port_profile(*rc::gen::container<std::vector<std::string>>(name),
                                      *rc::gen::oneOf(name, rc::gen::just(std::string())));
    RC_ASSERT(parse_portgroup(portgroup_name(profile)) == profile);
}

} // namespace
} // namespace weft::topology
