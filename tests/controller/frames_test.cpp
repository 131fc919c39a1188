#include "controller/frames.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weft::controller {
namespace {

const Mac kMac = *Mac::parse("52:54:00:00:01:10");
const Mac kOther = *Mac::parse("0a:00:00:00:00:02");

Ip ip(std::string_view text) {
    return *Ip::parse(text);
}

std::uint8_t at(const Frame& frame, std::size_t index) {
    return std::to_integer<std::uint8_t>(frame.at(index));
}

std::string hex(const Frame& frame, std::size_t from, std::size_t count) {
    std::string text;
    for (std::size_t i = from; i < from + count; ++i)
        text += fmt::format("{:02x}", at(frame, i));
    return text;
}

/// RFC 1071 by the book, apart from the code under test: 0xffff over what holds a right checksum.
std::uint16_t ones_complement_sum(const std::vector<std::uint8_t>& bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        sum += i % 2 == 0 ? bytes[i] * 256U : bytes[i];
        sum = sum % 0x10000 + sum / 0x10000;
    }
    return static_cast<std::uint16_t>(sum);
}

/// The pseudo-header and the message of an ICMPv6 frame.
std::vector<std::uint8_t> checksummed(const Frame& frame) {
    const std::size_t length = at(frame, 18) * 256U + at(frame, 19);
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 22; i < 54 + length; ++i)
        bytes.push_back(at(frame, i));
    const std::vector<std::uint8_t> tail{at(frame, 18), at(frame, 19), 0, 58};
    bytes.insert(bytes.end(), tail.begin(), tail.end());
    return bytes;
}

/// With the checksum made right again.
Frame changed(Frame frame, std::size_t index, std::uint8_t value) {
    frame.at(index) = std::byte{value};
    frame.at(56) = frame.at(57) = std::byte{0};
    const auto sum = static_cast<std::uint16_t>(~ones_complement_sum(checksummed(frame)));
    frame.at(56) = static_cast<std::byte>(sum >> 8);
    frame.at(57) = static_cast<std::byte>(sum & 0xff);
    return frame;
}

/// Every shorter frame, each in a buffer of its own so that a read behind its end is seen.
void expect_nothing_when_cut(const Frame& frame, std::size_t needed) {
    for (std::size_t length = 0; length < needed; ++length) {
        const Frame cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
        EXPECT_EQ(neighbour_claim(cut), std::nullopt) << length;
        EXPECT_EQ(solicited_target(cut), std::nullopt) << length;
    }
}

TEST(Checksum, IsThatOfRfc1071) {
    // The header of RFC 1071's usual example, and an odd number of bytes.
    const std::vector<std::uint8_t> header{0x45, 0,    0,    0x73, 0, 0, 0x40, 0,    0x40, 0x11,
                                           0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,    0xc7};
    EXPECT_EQ(internet_checksum(std::as_bytes(std::span(header))), 0);
    const std::vector<std::uint8_t> odd{0x12, 0x34, 0x56};
    EXPECT_EQ(internet_checksum(std::as_bytes(std::span(odd))), static_cast<std::uint16_t>(~(0x1234 + 0x5600)));
    EXPECT_EQ(internet_checksum({}), 0xffff);
    EXPECT_EQ(internet_checksum({}, 0x2fffd), 0);
}

RC_GTEST_PROP(Checksum, AgreesWithTheBook, (const std::vector<std::uint8_t>& bytes)) {
    RC_ASSERT(internet_checksum(std::as_bytes(std::span(bytes))) ==
              static_cast<std::uint16_t>(~ones_complement_sum(bytes)));
}

TEST(Arp, ARequestByteForByte) {
    const auto frame = arp_request(kMac, ip("10.0.1.10"), ip("10.0.1.1"));
    ASSERT_GE(frame.size(), 42U);
    EXPECT_EQ(hex(frame, 0, 42), "ffffffffffff"
                                 "525400000110"
                                 "0806"
                                 "0001080006040001"
                                 "525400000110"
                                 "0a00010a"
                                 "000000000000"
                                 "0a000101");
    EXPECT_EQ(hex(frame, 42, frame.size() - 42), std::string((frame.size() - 42) * 2, '0'));
    EXPECT_EQ(neighbour_claim(frame), (NeighbourClaim{ip("10.0.1.10"), kMac}));
    EXPECT_EQ(solicited_target(frame), std::nullopt);
    expect_nothing_when_cut(frame, 42);
}

TEST(Arp, AProbeClaimsNothing) {
    const auto frame = arp_request(kMac, ip("0.0.0.0"), ip("10.0.1.1"));
    EXPECT_EQ(hex(frame, 28, 4), "00000000");
    EXPECT_EQ(hex(frame, 38, 4), "0a000101");
    EXPECT_EQ(neighbour_claim(frame), std::nullopt);
}

TEST(Arp, AnAnnouncementAsksForItself) {
    const auto frame = gratuitous_arp(kMac, ip("10.0.1.10"));
    EXPECT_EQ(hex(frame, 0, 6), "ffffffffffff");
    EXPECT_EQ(hex(frame, 20, 2), "0001");
    EXPECT_EQ(hex(frame, 28, 4), hex(frame, 38, 4));
    EXPECT_EQ(hex(frame, 32, 6), "000000000000");
    EXPECT_EQ(neighbour_claim(frame), (NeighbourClaim{ip("10.0.1.10"), kMac}));
}

TEST(Arp, RepliesClaimAndOtherOperationsDoNot) {
    auto frame = arp_request(kMac, ip("10.0.1.10"), ip("10.0.1.1"));
    for (const int operation : {0, 1, 2, 3, 8, 9, 255}) {
        frame[21] = static_cast<std::byte>(operation);
        EXPECT_EQ(neighbour_claim(frame).has_value(), operation == 1 || operation == 2) << operation;
    }
}

TEST(Arp, WhatIsNotIpv4OnEthernetClaimsNothing) {
    const auto frame = gratuitous_arp(kMac, ip("10.0.1.10"));
    for (std::size_t index = 12; index < 22; ++index) {
        auto other = frame;
        other[index] ^= std::byte{0x40};
        EXPECT_EQ(neighbour_claim(other), std::nullopt) << index;
    }
}

TEST(Arp, WhatNoHostCanHaveIsNoClaim) {
    for (const auto* address : {"255.255.255.255", "224.0.0.1", "239.1.2.3"})
        EXPECT_EQ(neighbour_claim(gratuitous_arp(kMac, ip(address))), std::nullopt) << address;
    for (const auto* mac : {"ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00"})
        EXPECT_EQ(neighbour_claim(gratuitous_arp(*Mac::parse(mac), ip("10.0.1.10"))), std::nullopt) << mac;
}

TEST(Discovery, ASolicitationByteForByte) {
    const auto frame = neighbour_solicitation(kMac, ip("fd00:1::10"), ip("fd00:1::ab:cdef"));
    ASSERT_EQ(frame.size(), 14U + 40 + 32);
    EXPECT_EQ(hex(frame, 0, 56), "3333ffabcdef"
                                 "525400000110"
                                 "86dd"
                                 "60000000"
                                 "00203aff"
                                 "fd000001000000000000000000000010"
                                 "ff0200000000000000000001ffabcdef"
                                 "8700");
    EXPECT_EQ(hex(frame, 58, 28), "00000000"
                                  "fd000001000000000000000000abcdef"
                                  "0101525400000110");
    EXPECT_EQ(ones_complement_sum(checksummed(frame)), 0xffff);
    EXPECT_EQ(neighbour_claim(frame), (NeighbourClaim{ip("fd00:1::10"), kMac}));
    EXPECT_EQ(solicited_target(frame), ip("fd00:1::ab:cdef"));
    expect_nothing_when_cut(frame, frame.size());
}

TEST(Discovery, DuplicateAddressDetectionHasATargetAndNoClaim) {
    const auto frame = neighbour_solicitation(kMac, ip("::"), ip("fd00:1::10"));
    ASSERT_EQ(frame.size(), 14U + 40 + 24);
    EXPECT_EQ(ones_complement_sum(checksummed(frame)), 0xffff);
    EXPECT_EQ(neighbour_claim(frame), std::nullopt);
    EXPECT_EQ(solicited_target(frame), ip("fd00:1::10"));
    expect_nothing_when_cut(frame, frame.size());
    // RFC 4861, 7.1.1: to another group, or with the source's option.
    EXPECT_EQ(solicited_target(changed(frame, 50, 0xfe)), std::nullopt);
    auto with_option = neighbour_solicitation(kMac, ip("::1"), ip("fd00:1::10"));
    EXPECT_EQ(solicited_target(changed(with_option, 37, 2)), ip("fd00:1::10"));
    EXPECT_EQ(solicited_target(changed(with_option, 37, 0)), std::nullopt);
}

TEST(Discovery, AnAdvertisementByteForByte) {
    const auto frame = neighbour_advertisement(kMac, ip("fd00:1::10"), ip("fd00:1::2"), kOther, true, true);
    ASSERT_EQ(frame.size(), 14U + 40 + 32);
    EXPECT_EQ(hex(frame, 0, 56), "0a0000000002"
                                 "525400000110"
                                 "86dd"
                                 "60000000"
                                 "00203aff"
                                 "fd000001000000000000000000000010"
                                 "fd000001000000000000000000000002"
                                 "8800");
    EXPECT_EQ(hex(frame, 58, 28), "e0000000"
                                  "fd000001000000000000000000000010"
                                  "0201525400000110");
    EXPECT_EQ(ones_complement_sum(checksummed(frame)), 0xffff);
    EXPECT_EQ(neighbour_claim(frame), (NeighbourClaim{ip("fd00:1::10"), kMac}));
    EXPECT_EQ(solicited_target(frame), std::nullopt);
    expect_nothing_when_cut(frame, frame.size());
    EXPECT_EQ(at(neighbour_advertisement(kMac, ip("fd00::1"), ip("fd00::2"), kOther, false, true), 58), 0x60);
    EXPECT_EQ(at(neighbour_advertisement(kMac, ip("fd00::1"), ip("fd00::2"), kOther, true, false), 58), 0xa0);
}

TEST(Discovery, AnUnsolicitedAdvertisementIsToAllNodes) {
    const auto frame = unsolicited_advertisement(kMac, ip("fd00:1::10"), false);
    EXPECT_EQ(hex(frame, 0, 6), "333300000001");
    EXPECT_EQ(hex(frame, 38, 16), "ff020000000000000000000000000001");
    EXPECT_EQ(at(frame, 58), 0x20);
    EXPECT_EQ(at(unsolicited_advertisement(kMac, ip("fd00:1::10"), true), 58), 0xa0);
    EXPECT_EQ(neighbour_claim(frame), (NeighbourClaim{ip("fd00:1::10"), kMac}));
    // RFC 4861, 7.1.2: never solicited when it goes to many.
    EXPECT_EQ(neighbour_claim(changed(frame, 58, 0x60)), std::nullopt);
}

TEST(Discovery, PaddingIsNoPartOfIt) {
    auto frame = neighbour_solicitation(kMac, ip("fd00:1::10"), ip("fd00:1::1"));
    frame.resize(frame.size() + 7, std::byte{0xee});
    EXPECT_EQ(neighbour_claim(frame), (NeighbourClaim{ip("fd00:1::10"), kMac}));
}

TEST(Discovery, AWrongBitAnywhereThatCountsIsNoticed) {
    const auto frame = neighbour_solicitation(kMac, ip("fd00:1::10"), ip("fd00:1::1"));
    for (std::size_t index = 18; index < frame.size(); ++index) // length, next header, hop limit, all that is summed
        for (unsigned bit = 0; bit < 8; ++bit) {
            auto other = frame;
            other[index] ^= static_cast<std::byte>(1U << bit);
            EXPECT_EQ(neighbour_claim(other), std::nullopt) << index << " " << bit;
            EXPECT_EQ(solicited_target(other), std::nullopt) << index << " " << bit;
        }
}

TEST(Discovery, WhatRfc4861TellsToDiscardIsDiscarded) {
    const auto frame = neighbour_solicitation(kMac, ip("fd00:1::10"), ip("fd00:1::1"));
    ASSERT_EQ(changed(frame, 54, 135), frame);
    for (const int type : {0, 1, 133, 134, 137, 255})
        EXPECT_EQ(neighbour_claim(changed(frame, 54, static_cast<std::uint8_t>(type))), std::nullopt) << type;
    EXPECT_EQ(neighbour_claim(changed(frame, 55, 1)), std::nullopt) << "code";
    EXPECT_EQ(neighbour_claim(changed(frame, 62, 0xff)), std::nullopt) << "multicast target";
    EXPECT_EQ(neighbour_claim(changed(frame, 22, 0xff)), std::nullopt) << "multicast source";
    EXPECT_EQ(neighbour_claim(changed(frame, 79, 0)), std::nullopt) << "empty option";
    EXPECT_EQ(neighbour_claim(changed(frame, 79, 2)), std::nullopt) << "option cut off";
    EXPECT_EQ(neighbour_claim(changed(frame, 80, 0x01)), std::nullopt) << "multicast MAC";
    EXPECT_EQ(neighbour_claim(changed(frame, 21, 254)), std::nullopt) << "forwarded";
    // Another option than the one that counts: valid, without a claim.
    for (const int option : {2, 14, 255}) {
        const auto other = changed(frame, 78, static_cast<std::uint8_t>(option));
        EXPECT_EQ(neighbour_claim(other), std::nullopt) << option;
        EXPECT_EQ(solicited_target(other), ip("fd00:1::1")) << option;
    }
}

TEST(Discovery, TheOptionMayComeAfterOthers) {
    auto frame = neighbour_solicitation(kMac, ip("fd00:1::10"), ip("fd00:1::1"));
    const Frame option(frame.end() - 8, frame.end());
    frame.insert(frame.end(), option.begin(), option.end());
    frame[19] = std::byte{40};
    EXPECT_EQ(neighbour_claim(changed(frame, 78, 14)), (NeighbourClaim{ip("fd00:1::10"), kMac})); // a nonce first
    EXPECT_EQ(neighbour_claim(changed(frame, 80, 0x0a)),
              (NeighbourClaim{ip("fd00:1::10"), *Mac::parse("0a:54:00:00:01:10")})); // of two the first
    EXPECT_EQ(neighbour_claim(changed(frame, 79, 2)), std::nullopt);                 // 16 bytes is no Ethernet address
}

Mac any_mac() {
    auto mac = Mac::from_u64(*rc::gen::inRange<std::uint64_t>(1, 1ULL << 48));
    mac.bytes[0] &= 0xfe;
    mac.bytes[5] |= 1;
    return mac;
}

Ip any_v4() {
    return Ip::v4(*rc::gen::inRange<std::uint32_t>(1, 0xe0000000));
}

Ip any_v6() {
    auto bytes = *rc::gen::arbitrary<std::array<std::uint8_t, 16>>();
    bytes[0] &= 0x7f;
    bytes[15] |= 1;
    return Ip::v6(bytes);
}

RC_GTEST_PROP(Frames, WhatIsClaimedIsHeard, ()) {
    const auto mac = any_mac();
    const auto v4 = any_v4();
    const auto v6 = any_v6(), target = any_v6();
    RC_ASSERT(neighbour_claim(gratuitous_arp(mac, v4)) == (NeighbourClaim{v4, mac}));
    RC_ASSERT(neighbour_claim(arp_request(mac, v4, any_v4())) == (NeighbourClaim{v4, mac}));
    const auto solicitation = neighbour_solicitation(mac, v6, target);
    RC_ASSERT(ones_complement_sum(checksummed(solicitation)) == 0xffff);
    RC_ASSERT(neighbour_claim(solicitation) == (NeighbourClaim{v6, mac}));
    RC_ASSERT(solicited_target(solicitation) == target);
    const bool router = *rc::gen::arbitrary<bool>(), solicited = *rc::gen::arbitrary<bool>();
    const auto advertisement = neighbour_advertisement(mac, v6, target, any_mac(), router, solicited);
    RC_ASSERT(ones_complement_sum(checksummed(advertisement)) == 0xffff);
    RC_ASSERT(neighbour_claim(advertisement) == (NeighbourClaim{v6, mac}));
    RC_ASSERT(neighbour_claim(unsolicited_advertisement(mac, v6, router)) == (NeighbourClaim{v6, mac}));
}

RC_GTEST_PROP(Frames, AnyBytesAreReadSafely, (const std::vector<std::uint8_t>& noise)) {
    const auto bytes = std::as_bytes(std::span(noise));
    (void)neighbour_claim(bytes);
    (void)solicited_target(bytes);
    auto frame = neighbour_solicitation(kMac, ip("fd00:1::10"), ip("fd00:1::1"));
    frame.resize(78);
    frame.insert(frame.end(), bytes.begin(), bytes.end());
    frame[18] = static_cast<std::byte>((noise.size() + 24) >> 8);
    frame[19] = static_cast<std::byte>((noise.size() + 24) & 0xff);
    // Options of noise under a right checksum.
    (void)neighbour_claim(changed(frame, 58, 0));
    RC_ASSERT(!solicited_target(changed(frame, 20, 59)));
}

} // namespace
} // namespace weft::controller
