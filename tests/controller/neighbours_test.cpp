#include "controller/neighbours.hpp"

#include <gtest/gtest.h>

namespace weft::controller {
namespace {

TEST(Neighbours, KnowWhetherAnybodyAsked) {
    Neighbours neighbours([](const std::string&, const openflow::PacketOut&) { return true; },
                          [](const std::string&, const Ip&) {});
    const auto ip = *Ip::parse("203.0.113.99");
    EXPECT_FALSE(neighbours.heard("public", ip));
    neighbours.need("public", ip, "kvm1", {});
    EXPECT_TRUE(neighbours.heard("public", ip));
    EXPECT_FALSE(neighbours.heard("office", ip));
}

} // namespace
} // namespace weft::controller
