// Which host is the router of a physical network toward the wire.
#include "tests/fabric/fixture.hpp"

namespace weft::fabric {
namespace {

struct Edge : testing::Test {
    Fixture fixture{kRouted};
    std::string of_office() { return fixture.world()->networks.at("office")->core.edge; }
};

TEST_F(Edge, IsTheFirstHostInTheFileThatIsNotLost) {
    EXPECT_EQ(of_office(), "kvm1");
    fixture.learnt.absent = {"kvm1"};
    EXPECT_EQ(of_office(), "kvm2");
    fixture.learnt.absent = {"kvm1", "kvm2"};
    EXPECT_EQ(of_office(), "") << "kvm3 has no uplink";
}

TEST_F(Edge, HasALinkOnItsUplink) {
    fixture.learnt.dead_links["kvm1"] = {"physnet2"};
    EXPECT_EQ(of_office(), "kvm1") << "another one is dead";
    fixture.learnt.dead_links["kvm1"] = {"physnet1"};
    EXPECT_EQ(of_office(), "kvm2");
    fixture.learnt.dead_links["kvm2"] = {"physnet1"};
    EXPECT_EQ(of_office(), "");
}

} // namespace
} // namespace weft::fabric
