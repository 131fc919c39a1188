#include "controller/udp.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weft::controller {
namespace {

Ip ip(std::string_view text) {
    return *Ip::parse(text);
}

std::vector<std::byte> bytes(std::size_t count, int first = 1) {
    std::vector<std::byte> all(count);
    for (std::size_t i = 0; i < count; ++i)
        all[i] = static_cast<std::byte>(first + static_cast<int>(i));
    return all;
}

Datagram datagram_of(bool v6, std::span<const std::byte> payload) {
    return {*Mac::parse("52:54:00:00:01:10"),
            *Mac::parse("0a:00:00:00:00:02"),
            ip(v6 ? "fe80::1" : "10.0.1.1"),
            ip(v6 ? "fe80::2" : "10.0.1.2"),
            67,
            68,
            payload};
}

/// The sum of the pseudo-header and of the UDP datagram in a frame: RFC 768, RFC 8200, 8.1.
std::uint16_t checksum(const Frame& frame, bool v6) {
    const std::size_t addresses = v6 ? 14 + 8 : 14 + 12, udp = v6 ? 14 + 40 : 14 + 20;
    const auto length = static_cast<std::size_t>(frame[udp + 4]) << 8 | static_cast<std::size_t>(frame[udp + 5]);
    std::vector<std::byte> all(frame.begin() + static_cast<std::ptrdiff_t>(addresses),
                               frame.begin() + static_cast<std::ptrdiff_t>(udp + length));
    return internet_checksum(all, static_cast<std::uint32_t>(17 + length));
}

RC_GTEST_PROP(Udp, comes_back_as_it_was_sent, ()) {
    const bool v6 = *rc::gen::arbitrary<bool>();
    const auto text = *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::arbitrary<std::uint8_t>());
    const auto frame = udp_frame(datagram_of(v6, std::as_bytes(std::span(text))));
    const auto back = datagram(frame);
    RC_ASSERT(back.has_value());
    RC_ASSERT(std::ranges::equal(back->payload, std::as_bytes(std::span(text))));
    RC_ASSERT(back->source == ip(v6 ? "fe80::1" : "10.0.1.1"));
    RC_ASSERT(back->destination_port == 68);
    RC_ASSERT(checksum(frame, v6) == 0);
}

RC_GTEST_PROP(Udp, any_bytes_are_looked_at_without_harm, (std::vector<std::uint8_t> raw)) {
    datagram(std::as_bytes(std::span(raw)));
}

TEST(Udp, is_not_found_where_it_is_not_whole) {
    for (const bool v6 : {false, true}) {
        const auto payload = bytes(20);
        const auto frame = udp_frame(datagram_of(v6, payload));
        for (std::size_t size = 0; size < frame.size(); ++size)
            EXPECT_FALSE(datagram(std::span(frame).first(size))) << size;
        EXPECT_TRUE(datagram(frame));
    }
}

TEST(Udp, is_not_found_in_fragments) {
    auto frame = udp_frame(datagram_of(false, bytes(20)));
    for (const auto flags : {0x20, 0x01}) {
        frame[20] = static_cast<std::byte>(flags);
        EXPECT_FALSE(datagram(frame));
    }
    frame[20] = std::byte{0x40}; // do not fragment
    EXPECT_TRUE(datagram(frame));
}

TEST(Udp, ends_where_its_length_says_whatever_pads_the_frame) {
    auto frame = udp_frame(datagram_of(false, bytes(2)));
    frame.resize(100);
    ASSERT_TRUE(datagram(frame));
    EXPECT_EQ(datagram(frame)->payload.size(), 2U);
}

} // namespace
} // namespace weft::controller
