#include "controller/tcp_reset.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weft::controller {
namespace {

constexpr unsigned kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10;
constexpr std::size_t kEthernet = 14;

void put(Frame& to, std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i)
        to.push_back(static_cast<std::byte>(value >> (i * 8)));
}

std::uint64_t get(const Frame& from, std::size_t at, int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i)
        value = value << 8 | std::to_integer<std::uint64_t>(from.at(at + static_cast<std::size_t>(i)));
    return value;
}

struct Segment {
    bool v6 = false;
    unsigned flags = kSyn;
    std::uint32_t seq = 0x01020304, ack = 0;
    unsigned data = 0, options = 0; ///< bytes
    unsigned ip_options = 0;        ///< bytes, IPv4

    operator Frame() const {
        Frame frame;
        put(frame, 0x0a0000000002, 6);
        put(frame, 0x525400000110, 6);
        put(frame, v6 ? 0x86dd : 0x0800, 2);
        const auto length = 20 + options + data;
        if (v6) {
            put(frame, 0x60000000, 4);
            put(frame, length, 2);
            put(frame, 0x0640, 2);
            put(frame, 0xfd00000000000000, 8);
            put(frame, 0x0a, 8);
            put(frame, 0xfd00000000000000, 8);
            put(frame, 0x01, 8);
        } else {
            put(frame, 0x40 + 5 + ip_options / 4, 1);
            put(frame, 0, 1);
            put(frame, 20 + ip_options + length, 2);
            put(frame, 0x123440004006, 6);
            put(frame, 0, 2); // the checksum
            put(frame, 0x0a00000a, 4);
            put(frame, 0x0a000001, 4);
            frame.resize(frame.size() + ip_options, std::byte{1});
        }
        put(frame, 40000, 2);
        put(frame, 53, 2);
        put(frame, seq, 4);
        put(frame, ack, 4);
        put(frame, (5 + options / 4) << 4, 1);
        put(frame, flags, 1);
        put(frame, 0xffff, 2);
        put(frame, 0, 4);
        frame.resize(frame.size() + options, std::byte{1});
        frame.resize(frame.size() + data, std::byte{'x'});
        return frame;
    }
};

/// What a reset says, its ends and checksums being right.
struct Said {
    std::uint64_t flags, seq, ack;
    bool operator==(const Said&) const = default;
};

std::optional<Said> said(const Segment& segment) {
    const auto frame = tcp_reset(Frame(segment));
    if (!frame) return std::nullopt;
    EXPECT_EQ(get(*frame, 0, 6), 0x525400000110U);
    EXPECT_EQ(get(*frame, 6, 6), 0x0a0000000002U);
    const auto tcp = kEthernet + (segment.v6 ? 40U : 20U);
    const auto pseudo = segment.v6 ? kEthernet + 8 : kEthernet + 12;
    if (segment.v6) {
        EXPECT_EQ(get(*frame, 12, 2), 0x86ddU);
        EXPECT_EQ(get(*frame, kEthernet + 4, 4), 0x00140640U); // 20 bytes, TCP, hop limit 64
        EXPECT_EQ(get(*frame, kEthernet + 8 + 8, 8), 0x01U);
        EXPECT_EQ(get(*frame, kEthernet + 24 + 8, 8), 0x0aU);
    } else {
        EXPECT_EQ(get(*frame, 12, 2), 0x0800U);
        EXPECT_EQ(get(*frame, kEthernet, 1), 0x45U);
        EXPECT_EQ(get(*frame, kEthernet + 2, 2), 40U);
        EXPECT_EQ(get(*frame, kEthernet + 8, 2), 0x4006U); // TTL 64, TCP
        EXPECT_EQ(get(*frame, kEthernet + 12, 4), 0x0a000001U);
        EXPECT_EQ(get(*frame, kEthernet + 16, 4), 0x0a00000aU);
        EXPECT_EQ(internet_checksum(std::span(*frame).subspan(kEthernet, 20)), 0);
    }
    EXPECT_EQ(get(*frame, tcp, 4), 53U << 16 | 40000U);
    EXPECT_EQ(get(*frame, tcp + 12, 1), 0x50U);
    EXPECT_EQ(get(*frame, tcp + 14, 2), 0U);
    EXPECT_EQ(internet_checksum(std::span(*frame).subspan(pseudo, tcp + 20 - pseudo), 6 + 20), 0);
    return Said{get(*frame, tcp + 13, 1), get(*frame, tcp + 4, 4), get(*frame, tcp + 8, 4)};
}

TEST(TcpReset, of_a_syn_acknowledges_it) {
    for (const bool v6 : {false, true}) {
        EXPECT_EQ(said({.v6 = v6}), (Said{kRst | kAck, 0, 0x01020305}));
        EXPECT_EQ(said({.v6 = v6, .options = 20}), (Said{kRst | kAck, 0, 0x01020305}));
        EXPECT_EQ(said({.v6 = v6, .data = 7, .options = 8}), (Said{kRst | kAck, 0, 0x0102030c})); // RFC 7413
        EXPECT_EQ(said({.v6 = v6, .seq = 0xffffffff}), (Said{kRst | kAck, 0, 0}));
        EXPECT_EQ(said({.v6 = v6, .flags = kSyn | 0xc0}), (Said{kRst | kAck, 0, 0x01020305})); // RFC 3168, 6.1.1
    }
    EXPECT_EQ(said({.ip_options = 8}), (Said{kRst | kAck, 0, 0x01020305}));
}

TEST(TcpReset, of_other_segments_without_ack_acknowledges_all_of_them) {
    EXPECT_EQ(said({.flags = 0}), (Said{kRst | kAck, 0, 0x01020304}));
    EXPECT_EQ(said({.flags = kPsh, .data = 3}), (Said{kRst | kAck, 0, 0x01020307}));
    EXPECT_EQ(said({.flags = kFin, .data = 3}), (Said{kRst | kAck, 0, 0x01020308}));
    EXPECT_EQ(said({.flags = kFin | kSyn}), (Said{kRst | kAck, 0, 0x01020306}));
}

TEST(TcpReset, of_a_segment_with_ack_is_where_that_says) {
    for (const bool v6 : {false, true})
        for (const unsigned flags : {kAck, kAck | kSyn, kAck | kFin, kAck | kPsh})
            EXPECT_EQ(said({.v6 = v6, .flags = flags, .ack = 0xa0b0c0d0, .data = 9}), (Said{kRst, 0xa0b0c0d0, 0}));
}

TEST(TcpReset, is_never_of_a_reset) {
    for (const bool v6 : {false, true}) {
        for (const unsigned flags : {kRst, kRst | kAck, kRst | kSyn})
            EXPECT_FALSE(said({.v6 = v6, .flags = flags}));
        EXPECT_FALSE(tcp_reset(*tcp_reset(Frame(Segment{.v6 = v6}))));
    }
}

TEST(TcpReset, is_not_of_what_is_cut_off) {
    for (const bool v6 : {false, true}) {
        const Frame whole = Segment{.v6 = v6, .data = 5, .options = 8};
        for (std::size_t size = 0; size < whole.size(); ++size)
            EXPECT_FALSE(tcp_reset(Frame(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)))) << size;
        auto padded = whole;
        padded.resize(200);
        EXPECT_EQ(tcp_reset(padded), tcp_reset(whole));
    }
}

TEST(TcpReset, is_not_of_anything_but_a_whole_tcp_segment_between_two_hosts) {
    const auto changed = [](Segment segment, std::size_t at, std::initializer_list<int> bytes) {
        Frame frame = segment;
        for (const int byte : bytes)
            frame.at(at++) = static_cast<std::byte>(byte);
        return tcp_reset(frame).has_value();
    };
    const Segment v4, v6{.v6 = true};
    EXPECT_TRUE(changed(v4, 20, {0x40}));
    EXPECT_FALSE(changed(v4, 20, {0x20})); // more fragments
    EXPECT_FALSE(changed(v4, 21, {0x01})); // an offset
    EXPECT_FALSE(changed(v4, 23, {17}));   // UDP
    EXPECT_FALSE(changed(v6, 20, {17}));
    EXPECT_FALSE(changed(v4, 12, {0x81, 0})); // a tag
    EXPECT_FALSE(changed(v4, 14, {0x65}));    // versions
    EXPECT_FALSE(changed(v6, 14, {0x40}));
    EXPECT_FALSE(changed(v4, 14, {0x44})); // a short header
    EXPECT_FALSE(changed(v4, 46, {0x40})); // a short header of TCP
    EXPECT_FALSE(changed(v4, 46, {0x60})); // and one that is longer than the segment
    EXPECT_FALSE(changed(v4, 0, {0x01}));  // MACs of groups
    EXPECT_FALSE(changed(v4, 6, {0x01}));
    EXPECT_FALSE(changed(v4, 26, {224})); // sources
    EXPECT_FALSE(changed(v4, 26, {0, 0, 0, 0}));
    EXPECT_FALSE(changed(v4, 30, {224})); // destinations
    EXPECT_FALSE(changed(v4, 30, {255, 255, 255, 255}));
    EXPECT_FALSE(changed(v6, 22, {0xff}));
    EXPECT_FALSE(changed(v6, 38, {0xff}));
    EXPECT_FALSE(changed(v6, 22, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
}

RC_GTEST_PROP(TcpReset, any_bytes_are_looked_at_without_harm, (std::vector<std::uint8_t> raw)) {
    tcp_reset(std::as_bytes(std::span(raw)));
}

} // namespace
} // namespace weft::controller
