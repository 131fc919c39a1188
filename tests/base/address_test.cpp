#include "base/address.hpp"
#include "base/ids.hpp"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(Mac, ParsesSixColonSeparatedOctetsAndNothingElse) {
    EXPECT_EQ(Mac::parse("52:54:00:00:01:1F")->to_string(), "52:54:00:00:01:1f");
    EXPECT_FALSE(Mac::parse("52:54:00:00:01"));
    EXPECT_FALSE(Mac::parse("52-54-00-00-01-10"));
    EXPECT_FALSE(Mac::parse("52:54:00:00:01:1g"));
    EXPECT_EQ(Mac::from_u64(0x525400000110).to_u64(), 0x525400000110U);
}

TEST(Ip, ParsesBothFamilies) {
    EXPECT_EQ(Ip::parse("10.0.1.7")->v4(), 0x0a000107U);
    EXPECT_EQ(Ip::parse("fd00:1:0:0::10")->to_string(), "fd00:1::10");
    EXPECT_FALSE(Ip::parse("10.0.1"));
    EXPECT_FALSE(Ip::parse("10.0.1.256"));
    EXPECT_FALSE(Ip::parse("10.0.1.1/24"));
}

TEST(Ip, CountsAcrossOctets) {
    EXPECT_EQ(Ip::parse("10.0.0.255")->plus(1), *Ip::parse("10.0.1.0"));
    EXPECT_EQ(Ip::parse("fd00::ffff:ffff")->plus(1), *Ip::parse("fd00::1:0:0"));
}

TEST(Ip, DerivesEui64) {
    EXPECT_EQ(Ip::link_local(*Mac::parse("52:54:00:12:34:56")).to_string(), "fe80::5054:ff:fe12:3456");
    EXPECT_EQ(Ip::eui64(*Ip::parse("fd00:1::"), *Mac::parse("52:54:00:12:34:56")).to_string(),
              "fd00:1::5054:ff:fe12:3456");
}

TEST(Prefix, KnowsItsEnds) {
    const auto prefix = *Prefix::parse("10.0.1.9/24");
    EXPECT_TRUE(prefix.has_host_bits());
    EXPECT_EQ(prefix.network(), *Ip::parse("10.0.1.0"));
    EXPECT_EQ(prefix.last(), *Ip::parse("10.0.1.255"));
    EXPECT_TRUE(prefix.contains(*Ip::parse("10.0.1.77")));
    EXPECT_FALSE(prefix.contains(*Ip::parse("10.0.2.1")));
    EXPECT_FALSE(prefix.contains(*Ip::parse("::1")));
    EXPECT_TRUE(prefix.overlaps(*Prefix::parse("10.0.0.0/8")));
    EXPECT_FALSE(Prefix::parse("10.0.0.0/33"));
    EXPECT_FALSE(Prefix::parse("10.0.0.0/"));
    EXPECT_EQ(Prefix::parse("0.0.0.0/0")->last(), *Ip::parse("255.255.255.255"));
}

TEST(ObjectId, DependsOnKindAndNameAlone) {
    EXPECT_EQ(object_id(Kind::port, "web1"), object_id(Kind::port, "web1"));
    EXPECT_NE(object_id(Kind::port, "web1"), object_id(Kind::network, "web1"));
    EXPECT_LT(object_id(Kind::port, "web1").value, std::uint64_t{1} << 48);
    // In cookies of installed flows: a new value would make every upgrade rewrite every flow.
    EXPECT_EQ(object_id(Kind::port, "web1").value, 0xe347f469f63aU);
}

} // namespace
} // namespace weft
