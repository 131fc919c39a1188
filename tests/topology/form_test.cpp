#include "topology/form.hpp"
#include "topology/nearest.hpp"

#include <gtest/gtest.h>

namespace weft::topology {
namespace {

TEST(Form, Durations) {
    EXPECT_EQ(form::duration("30s")->count(), 30);
    EXPECT_EQ(form::duration("5m")->count(), 300);
    EXPECT_EQ(form::duration("12h")->count(), 43200);
    EXPECT_EQ(form::duration("1d")->count(), 86400);
    for (const auto* bad : {"", "30", "s", "0s", "-1s", "1.5h", "366d", "1w", "30 s", "99999999999999999999s"})
        EXPECT_FALSE(form::duration(bad)) << bad;
}

TEST(Form, RatesAndBursts) {
    EXPECT_EQ(form::rate("100bit"), 100U);
    EXPECT_EQ(form::rate("64kbit"), 64'000U);
    EXPECT_EQ(form::rate("200mbit"), 200'000'000U);
    EXPECT_EQ(form::rate("1gbit"), 1'000'000'000U);
    EXPECT_EQ(form::burst("64KiB"), 524'288U);
    EXPECT_EQ(form::burst("80mbit"), 80'000'000U);
    for (const auto* bad : {"", "1", "0bit", "1Gbit", "1.5gbit", "64KiB", "18446744073709551615gbit", "101tbit"})
        EXPECT_FALSE(form::rate(bad)) << bad;
}

TEST(Form, Names) {
    for (const auto* good : {"a", "0", "web-1.example_x"})
        EXPECT_TRUE(form::name(good)) << good;
    for (const auto* bad : {"", ".a", "_a", "-a", "a b", "a/b", "ä"})
        EXPECT_FALSE(form::name(bad)) << bad;
    EXPECT_TRUE(form::name(std::string(63, 'a')));
    EXPECT_FALSE(form::name(std::string(64, 'a')));
}

TEST(Form, RangesOfAddresses) {
    EXPECT_EQ(form::range("10.0.0.1-10.0.0.9")->to_string(), "10.0.0.1-10.0.0.9");
    EXPECT_EQ(form::range("fd00::1-fd00::9")->to_string(), "fd00::1-fd00::9");
    EXPECT_EQ(form::range("10.0.0.1")->to_string(), "10.0.0.1");
    for (const auto* bad : {"", "-", "10.0.0.1-", "10.0.0.1-fd00::1", "0.0.0.0-10.0.0.1", "10.0.0.1 - 10.0.0.9"})
        EXPECT_FALSE(form::range(bad)) << bad;
}

TEST(Form, Protocols) {
    EXPECT_EQ(form::protocol("tcp")->number, 6);
    EXPECT_EQ(form::protocol("6"), form::protocol("tcp"));
    EXPECT_EQ(form::protocol("icmp")->kind, Protocol::Class::icmp);
    EXPECT_FALSE(form::protocol("256"));
    for (const auto* word : {"any", "icmp", "tcp", "udp", "sctp", "0", "47", "255"})
        EXPECT_EQ(form::protocol(word)->to_string(), word);
}

TEST(Form, Domains) {
    for (const auto* good : {"a", "private1.example", "x-1.y"})
        EXPECT_TRUE(form::domain(good)) << good;
    for (const auto* bad : {"", ".", "a.", ".a", "a..b", "-a", "a b"})
        EXPECT_FALSE(form::domain(bad)) << bad;
}

TEST(Nearest, CountsSwapsAsOneEdit) {
    EXPECT_EQ(edit_distance("subnet", "subnet"), 0);
    EXPECT_EQ(edit_distance("subnett", "subnet"), 1);
    EXPECT_EQ(edit_distance("sunbet", "subnet"), 1);
    EXPECT_EQ(edit_distance("", "abc"), 3);
    EXPECT_EQ(edit_distance("network", "netwrk"), 1);
}

TEST(Nearest, OffersNothingFarAway) {
    Nearest nearest("colour");
    for (const auto* word : {"network", "name", "a"})
        nearest.offer(word);
    EXPECT_EQ(nearest.remedy(), "");
    Nearest shorter("b");
    shorter.offer("a");
    EXPECT_EQ(shorter.remedy(), "");
}

} // namespace
} // namespace weft::topology
