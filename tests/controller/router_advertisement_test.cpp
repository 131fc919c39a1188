#include "controller/router_advertisement.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <tins/ethernetII.h>
#include <tins/icmpv6.h>
#include <tins/ipv6.h>

namespace weft::controller {
namespace {

using Octets = std::vector<std::uint8_t>;
using Tins::ICMPv6;

Ip ip(std::string_view text) {
    return *Ip::parse(text);
}

const Mac kGuest = *Mac::parse("52:54:00:00:01:10"), kServer = *Mac::parse("0a:00:00:00:00:01");
const Ip kLinkLocal = ip("fe80::5054:ff:fe00:110"), kAllRouters = ip("ff02::2");
const std::uint32_t kForever = 0xffffffff;

GuestConfig guest() {
    GuestConfig config;
    config.mac = kGuest;
    config.server_mac = kServer;
    config.mtu = 1442;
    config.ip6 = ip("fd00:1::10");
    config.subnet6 = Prefix::parse("fd00:1::/64");
    config.router6 = true;
    config.dns = {ip("10.0.0.53"), ip("fd00::53"), ip("fd00::54")};
    config.domain = "lab.example";
    config.lease = std::chrono::hours(1);
    return config;
}

/// A solicitation by hand, checksum zero, as offloading leaves it.
Frame solicitation(const Octets& options, const Ip& source = kLinkLocal, const Mac& mac = kGuest, int hop_limit = 255,
                   int code = 0) {
    Octets bytes{0x33, 0x33, 0, 0, 0, 2};
    const auto append = [&](const auto& more) { bytes.insert(bytes.end(), more.begin(), more.end()); };
    append(mac.bytes);
    append(Octets{0x86, 0xdd, 0x60, 0, 0, 0});
    const auto length = options.size() + 8;
    append(Octets{static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length), 58,
                  static_cast<std::uint8_t>(hop_limit)});
    append(source.bytes());
    append(kAllRouters.bytes());
    append(Octets{133, static_cast<std::uint8_t>(code), 0, 0, 0, 0, 0, 0});
    append(options);
    const auto all = std::as_bytes(std::span(bytes));
    return {all.begin(), all.end()};
}

const Octets kSourceOption{1, 1, 0x52, 0x54, 0, 0, 1, 0x10};

std::string hex(std::span<const std::byte> bytes) {
    std::string text;
    for (const auto byte : bytes)
        text += fmt::format("{:02x}", std::to_integer<int>(byte));
    return text;
}

/// RFC 8200, 8.1.
std::uint16_t checksum(const Frame& frame) {
    const std::span<const std::byte> all(frame);
    return internet_checksum(all.subspan(14 + 8), static_cast<std::uint32_t>(frame.size() - 14 - 40 + 58));
}

ICMPv6 read(const Frame& frame) {
    EXPECT_EQ(checksum(frame), 0);
    const Tins::EthernetII ethernet(reinterpret_cast<const std::uint8_t*>(frame.data()),
                                    static_cast<std::uint32_t>(frame.size()));
    EXPECT_EQ(ethernet.src_addr().to_string(), kServer.to_string());
    EXPECT_EQ(ethernet.rfind_pdu<Tins::IPv6>().src_addr().to_string(), "fe80::800:ff:fe00:1");
    EXPECT_EQ(ethernet.rfind_pdu<Tins::IPv6>().hop_limit(), 255);
    auto message = ethernet.rfind_pdu<ICMPv6>();
    EXPECT_EQ(message.type(), ICMPv6::ROUTER_ADVERT);
    EXPECT_EQ(message.code(), 0);
    return message;
}

ICMPv6 read(const GuestConfig& config) {
    return read(unsolicited_advertisement(config));
}

TEST(RouterAdvertisement, byte_for_byte) {
    const auto frame = router_advertisement(guest(), kGuest, kLinkLocal);
    EXPECT_EQ(checksum(frame), 0);
    EXPECT_EQ(hex(std::span(frame).first(56)), "525400000110"
                                               "0a0000000001"
                                               "86dd"
                                               "60000000"
                                               "00803aff"
                                               "fe80000000000000080000fffe000001"
                                               "fe80000000000000505400fffe000110"
                                               "8600");
    EXPECT_EQ(hex(std::span(frame).subspan(58)), "4040ffff0000000000000000"
                                                 "01010a0000000001"
                                                 "05010000000005a2"
                                                 "030440c0ffffffffffffffff00000000"
                                                 "fd000001000000000000000000000000"
                                                 "19050000ffffffff"
                                                 "fd000000000000000000000000000053"
                                                 "fd000000000000000000000000000054"
                                                 "1f030000ffffffff"
                                                 "036c6162076578616d706c6500000000");
}

TEST(RouterAdvertisement, is_to_all_nodes_when_nobody_asked) {
    const auto asked = router_advertisement(guest(), kGuest, kLinkLocal), frame = unsolicited_advertisement(guest());
    EXPECT_EQ(hex(std::span(frame).first(6)), "333300000001");
    EXPECT_EQ(hex(std::span(frame).subspan(38, 16)), "ff020000000000000000000000000001");
    EXPECT_EQ(hex(std::span(frame).subspan(58)), hex(std::span(asked).subspan(58)));
    EXPECT_EQ(checksum(frame), 0);
}

TEST(RouterAdvertisement, says_where_the_address_comes_from) {
    auto config = guest();
    EXPECT_EQ(read(config).managed(), 0);
    EXPECT_EQ(read(config).other(), 1);
    EXPECT_EQ(read(config).prefix_info().A, 1);
    EXPECT_EQ(read(config).prefix_info().L, 1);
    config.managed6 = true;
    EXPECT_EQ(read(config).managed(), 1);
    EXPECT_EQ(read(config).other(), 1);
    EXPECT_EQ(read(config).prefix_info().A, 0);
    EXPECT_EQ(read(config).prefix_info().L, 1);
}

TEST(RouterAdvertisement, slaac_is_for_a_64_only) {
    auto config = guest();
    for (const auto* prefix : {"fd00:1::/56", "fd00:1::/96"}) {
        config.subnet6 = Prefix::parse(prefix);
        EXPECT_EQ(read(config).prefix_info().A, 0) << prefix;
        EXPECT_EQ(read(config).prefix_info().prefix_len, config.subnet6->length);
    }
}

TEST(RouterAdvertisement, the_prefix_has_no_host_bits_and_no_end) {
    auto config = guest();
    config.subnet6 = Prefix::parse("fd00:1::1/64");
    const auto prefix = read(config).prefix_info();
    EXPECT_EQ(prefix.prefix.to_string(), "fd00:1::");
    EXPECT_EQ(prefix.valid_lifetime, kForever);
    EXPECT_EQ(prefix.preferred_lifetime, kForever);
    config.subnet6.reset();
    EXPECT_FALSE(read(config).search_option(ICMPv6::PREFIX_INFO));
}

TEST(RouterAdvertisement, only_a_router_has_a_lifetime) {
    auto config = guest();
    EXPECT_EQ(read(config).router_lifetime(), 65535);
    EXPECT_EQ(read(config).hop_limit(), 64);
    EXPECT_EQ(read(config).router_pref(), 0);
    config.router6 = false;
    EXPECT_EQ(read(config).router_lifetime(), 0);
    EXPECT_EQ(read(config).prefix_info().valid_lifetime, kForever);
    EXPECT_EQ(read(config).recursive_dns_servers().lifetime, kForever);
}

TEST(RouterAdvertisement, an_mtu_that_ipv6_does_not_allow_is_not_told) {
    auto config = guest();
    config.mtu = 1280;
    EXPECT_EQ(read(config).mtu().second, 1280U);
    config.mtu = 1279;
    EXPECT_FALSE(read(config).search_option(ICMPv6::MTU));
    config.mtu = 9000;
    EXPECT_EQ(read(config).mtu().second, 9000U);
}

TEST(RouterAdvertisement, without_dns_there_is_no_option_of_it) {
    auto config = guest();
    config.dns = {ip("10.0.0.53")};
    config.domain.clear();
    EXPECT_FALSE(read(config).search_option(ICMPv6::RECURSIVE_DNS_SERV));
    EXPECT_FALSE(read(config).search_option(ICMPv6::DNS_SEARCH_LIST));
    for (const auto& bad : {std::string("a..b"), std::string("."), std::string(64, 'x')}) {
        config.domain = bad;
        EXPECT_FALSE(read(config).search_option(ICMPv6::DNS_SEARCH_LIST)) << bad;
    }
}

TEST(RouterAdvertisement, domains_of_every_length_are_padded_to_eight_bytes) {
    auto config = guest();
    for (std::size_t length = 1; length <= 60; ++length) {
        config.domain = std::string(length, 'x') + ".y";
        const auto list = read(config).dns_search_list();
        EXPECT_EQ(list.domains, std::vector{config.domain});
        EXPECT_EQ(list.lifetime, kForever);
    }
}

TEST(RouterAdvertisement, fits_the_mtu) {
    auto config = guest();
    config.mtu = 1280;
    config.dns.assign(200, ip("fd00::53"));
    const auto frame = unsolicited_advertisement(config);
    EXPECT_LE(frame.size(), 14U + 1280);
    EXPECT_GT(frame.size(), 14U + 1280 - 16);
    EXPECT_FALSE(read(frame).search_option(ICMPv6::DNS_SEARCH_LIST));
    config.mtu = 9000; // the option's length ends it: 127 addresses
    EXPECT_EQ(read(config).recursive_dns_servers().servers.size(), 127U);
    EXPECT_EQ(read(config).dns_search_list().domains, std::vector{config.domain});
    for (std::uint16_t mtu = 104; mtu < 400; ++mtu) {
        config.mtu = mtu;
        config.dns.assign(mtu % 5, ip("fd00::53"));
        EXPECT_LE(unsolicited_advertisement(config).size(), 14U + mtu);
    }
}

TEST(RouterAdvertisement, what_is_withdrawn_holds_no_longer) {
    auto config = guest();
    for (const bool managed : {false, true}) {
        config.managed6 = managed;
        const auto frame = withdrawn_advertisement(config);
        EXPECT_EQ(hex(std::span(frame).first(6)), "333300000001");
        EXPECT_EQ(hex(std::span(frame).subspan(38, 16)), "ff020000000000000000000000000001");
        const auto message = read(frame);
        EXPECT_EQ(message.router_lifetime(), 0);
        EXPECT_EQ(message.managed(), 0);
        EXPECT_EQ(message.other(), 0);
        EXPECT_EQ(message.prefix_info().prefix.to_string(), "fd00:1::");
        EXPECT_EQ(message.prefix_info().A, managed ? 0 : 1);
        EXPECT_EQ(message.prefix_info().preferred_lifetime, 0U);
        EXPECT_EQ(message.prefix_info().valid_lifetime, 7200U);
        EXPECT_EQ(message.recursive_dns_servers().lifetime, 0U);
        EXPECT_EQ(message.recursive_dns_servers().servers.size(), 2U);
        EXPECT_EQ(message.dns_search_list().lifetime, 0U);
        EXPECT_EQ(message.dns_search_list().domains, std::vector{config.domain});
    }
}

TEST(RouterAdvertisement, a_solicitation_is_answered_to_its_source) {
    for (const auto& options : {Octets{}, kSourceOption}) {
        const auto got = answer_router_solicitation(solicitation(options), guest());
        EXPECT_EQ(got.asked, "router_solicitation");
        EXPECT_EQ(got.answered, "router_advertisement");
        EXPECT_EQ(got.answer, router_advertisement(guest(), kGuest, kLinkLocal));
        EXPECT_EQ(got.lease, Exchange::Lease::none);
        EXPECT_EQ(got.reason, "");
    }
    // Whoever has no address yet is told as one of all nodes.
    const auto got = answer_router_solicitation(solicitation({}, ip("::")), guest());
    EXPECT_EQ(got.answered, "router_advertisement");
    EXPECT_EQ(got.answer, unsolicited_advertisement(guest()));
}

TEST(RouterAdvertisement, only_the_guest_itself_is_answered) {
    const auto refused = [](const Exchange& got) {
        EXPECT_EQ(got.asked, "router_solicitation");
        EXPECT_EQ(got.answered, "");
        EXPECT_NE(got.reason, "");
        return !got.answer;
    };
    EXPECT_TRUE(refused(answer_router_solicitation(solicitation({}, kLinkLocal, kServer), guest())));
    EXPECT_TRUE(refused(answer_router_solicitation(solicitation({}, ip("ff02::1")), guest())));
    auto config = guest();
    config.subnet6.reset();
    EXPECT_TRUE(refused(answer_router_solicitation(solicitation({}), config)));
}

TEST(RouterSolicitation, is_what_rfc_4861_allows) {
    EXPECT_TRUE(is_router_solicitation(solicitation({})));
    EXPECT_TRUE(is_router_solicitation(solicitation(kSourceOption)));
    EXPECT_TRUE(is_router_solicitation(solicitation({14, 1, 1, 2, 3, 4, 5, 6}, ip("::")))) << "a nonce from ::";
    EXPECT_FALSE(is_router_solicitation(solicitation(kSourceOption, ip("::"))));
    EXPECT_FALSE(is_router_solicitation(solicitation({}, kLinkLocal, kGuest, 254))) << "forwarded";
    EXPECT_FALSE(is_router_solicitation(solicitation({}, kLinkLocal, kGuest, 255, 1))) << "code";
    EXPECT_FALSE(is_router_solicitation(solicitation({1, 0, 0, 0, 0, 0, 0, 0}))) << "empty option";
    EXPECT_FALSE(is_router_solicitation(solicitation({1, 2, 0, 0, 0, 0, 0, 0}))) << "option cut off";
    EXPECT_FALSE(is_router_solicitation(solicitation({1}))) << "half an option's head";
    const auto got = answer_router_solicitation(solicitation({1}), guest());
    EXPECT_EQ(got.asked, "");
    EXPECT_FALSE(got.answer);
}

TEST(RouterSolicitation, is_not_anything_else) {
    const auto with = [](std::size_t at, int value) {
        auto frame = solicitation(kSourceOption);
        frame.at(at) = static_cast<std::byte>(value);
        return is_router_solicitation(frame);
    };
    EXPECT_TRUE(with(54, 133));
    for (const int type : {0, 128, 132, 134, 135})
        EXPECT_FALSE(with(54, type)) << type;
    EXPECT_FALSE(with(12, 0x08)) << "no IPv6";
    EXPECT_FALSE(with(14, 0x40)) << "version";
    EXPECT_FALSE(with(20, 17)) << "UDP";
    EXPECT_FALSE(with(19, 7)) << "shorter than its head";
    EXPECT_FALSE(with(19, 17)) << "longer than the frame";
    EXPECT_TRUE(with(56, 0xab)) << "the checksum may be unfinished";
    EXPECT_FALSE(is_router_solicitation(unsolicited_advertisement(guest())));
}

TEST(RouterSolicitation, ends_where_its_length_says) {
    auto frame = solicitation(kSourceOption);
    for (std::size_t size = 0; size < frame.size(); ++size)
        EXPECT_FALSE(is_router_solicitation(Frame(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size))));
    frame.resize(frame.size() + 7, std::byte{0xee});
    EXPECT_TRUE(is_router_solicitation(frame));
}

RC_GTEST_PROP(RouterSolicitation, any_bytes_are_looked_at_without_harm, (Octets noise)) {
    (void)answer_router_solicitation(std::as_bytes(std::span(noise)), guest());
    for (const auto& source : {kLinkLocal, ip("::")}) {
        const auto got = answer_router_solicitation(solicitation(noise, source), guest());
        RC_ASSERT(got.answer.has_value() == !got.answered.empty());
        RC_ASSERT(!got.answer || is_router_solicitation(solicitation(noise, source)));
    }
}

} // namespace
} // namespace weft::controller
