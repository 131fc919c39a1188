#include "controller/icmp.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <rapidcheck/gtest.h>

namespace weft::controller {
namespace {

using Octets = std::vector<std::uint8_t>;

const Mac kGuest = *Mac::parse("52:54:00:00:01:10");
const Mac kRouter = *Mac::parse("0a:00:00:00:00:01");
const IcmpFrom kFromV4{*Ip::parse("10.0.1.1"), kRouter, kGuest};
const IcmpFrom kFromV6{*Ip::parse("fd00:1::1"), kRouter, kGuest};
constexpr std::array kAll{IcmpError::ttl_expired, IcmpError::no_route, IcmpError::host_unreachable,
                          IcmpError::port_unreachable, IcmpError::too_big};

/// RFC 1071 by the book: 0xffff over what holds a right checksum.
std::uint16_t ones_complement_sum(const Octets& bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        sum += i % 2 == 0 ? bytes[i] * 256U : bytes[i];
        sum = sum % 0x10000 + sum / 0x10000;
    }
    return static_cast<std::uint16_t>(sum);
}

Octets noise(std::size_t count, unsigned seed = 1) {
    std::mt19937 random(seed);
    Octets bytes(count);
    std::ranges::generate(bytes, [&] { return static_cast<std::uint8_t>(random()); });
    return bytes;
}

void append(Octets& to, const Octets& more) {
    to.insert(to.end(), more.begin(), more.end());
}

Frame framed(const Octets& packet, std::uint16_t type) {
    Octets bytes(kRouter.bytes.begin(), kRouter.bytes.end());
    append(bytes, {kGuest.bytes.begin(), kGuest.bytes.end()});
    append(bytes, {static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type & 0xff)});
    append(bytes, packet);
    const auto all = std::as_bytes(std::span(bytes));
    return {all.begin(), all.end()};
}

Octets packet_of(const Frame& frame) {
    Octets bytes;
    for (std::size_t i = 14; i < frame.size(); ++i)
        bytes.push_back(std::to_integer<std::uint8_t>(frame[i]));
    return bytes;
}

std::size_t u16(const Octets& bytes, std::size_t at) {
    return bytes.at(at) * 256U + bytes.at(at + 1);
}

struct V4 {
    std::string source = "10.0.1.10", destination = "192.0.2.7";
    std::uint16_t flags = 0; ///< with the offset in units of 8 bytes
    std::uint8_t protocol = 17;
    Octets options, payload = noise(32);

    Octets packet() const {
        const auto length = 20 + options.size() + payload.size();
        const auto high = [](std::size_t value) { return static_cast<std::uint8_t>(value >> 8); };
        const auto low = [](std::size_t value) { return static_cast<std::uint8_t>(value); };
        Octets bytes{static_cast<std::uint8_t>(0x45 + options.size() / 4),
                     0,
                     high(length),
                     low(length),
                     0xab,
                     0xcd,
                     high(flags),
                     low(flags),
                     7,
                     protocol,
                     0,
                     0};
        for (const auto& address : {source, destination}) {
            const auto ip = *Ip::parse(address);
            append(bytes, {ip.bytes().begin() + 12, ip.bytes().end()});
        }
        append(bytes, options);
        const auto sum = static_cast<std::uint16_t>(~ones_complement_sum(bytes));
        bytes[10] = high(sum);
        bytes[11] = low(sum);
        append(bytes, payload);
        return bytes;
    }
    Frame frame() const { return framed(packet(), 0x0800); }
};

struct V6 {
    std::string source = "fd00:1::10", destination = "2001:db8::7";
    std::uint8_t next = 17;
    Octets payload = noise(32);

    Octets packet() const {
        Octets bytes{
            0x60, 0, 0, 0, static_cast<std::uint8_t>(payload.size() >> 8), static_cast<std::uint8_t>(payload.size()),
            next, 7};
        for (const auto& address : {source, destination}) {
            const auto ip = *Ip::parse(address);
            append(bytes, {ip.bytes().begin(), ip.bytes().end()});
        }
        append(bytes, payload);
        return bytes;
    }
    Frame frame() const { return framed(packet(), 0x86dd); }
};

/// Type, code and the four bytes behind the checksum.
using Heading = std::tuple<int, int, std::size_t>;

/// Checks all of an error about `about` but its heading, and gives that.
Heading checked_v4(const Frame& error, const Octets& about) {
    EXPECT_TRUE(std::equal(error.begin(), error.begin() + 6, std::as_bytes(std::span(kGuest.bytes)).begin()));
    EXPECT_TRUE(std::equal(error.begin() + 6, error.begin() + 12, std::as_bytes(std::span(kRouter.bytes)).begin()));
    EXPECT_EQ(error[12], std::byte{0x08});
    EXPECT_EQ(error[13], std::byte{0x00});
    auto packet = packet_of(error);
    EXPECT_EQ(packet[0], 0x45);
    EXPECT_EQ(packet[8], 64);
    EXPECT_EQ(packet[9], 1);
    EXPECT_EQ(u16(packet, 6), 0U);
    EXPECT_EQ(Octets(packet.begin() + 12, packet.begin() + 16), (Octets{10, 0, 1, 1}));
    EXPECT_EQ(Octets(packet.begin() + 16, packet.begin() + 20), Octets(about.begin() + 12, about.begin() + 16));
    EXPECT_EQ(ones_complement_sum({packet.begin(), packet.begin() + 20}), 0xffff);
    packet.resize(u16(packet, 2)); // off with Ethernet's padding
    EXPECT_EQ(ones_complement_sum({packet.begin() + 20, packet.end()}), 0xffff);
    const auto quoted = std::min<std::size_t>(about.size(), 548);
    EXPECT_EQ(Octets(packet.begin() + 28, packet.end()),
              Octets(about.begin(), about.begin() + static_cast<std::ptrdiff_t>(quoted)));
    return {packet[20], packet[21], u16(packet, 24) << 16 | u16(packet, 26)};
}

Heading checked_v6(const Frame& error, const Octets& about) {
    EXPECT_TRUE(std::equal(error.begin(), error.begin() + 6, std::as_bytes(std::span(kGuest.bytes)).begin()));
    EXPECT_TRUE(std::equal(error.begin() + 6, error.begin() + 12, std::as_bytes(std::span(kRouter.bytes)).begin()));
    EXPECT_EQ(error[12], std::byte{0x86});
    EXPECT_EQ(error[13], std::byte{0xdd});
    const auto packet = packet_of(error);
    EXPECT_EQ(packet[0] >> 4, 6);
    EXPECT_EQ(packet[6], 58);
    EXPECT_EQ(packet[7], 64);
    EXPECT_EQ(u16(packet, 4) + 40, packet.size());
    const auto source = kFromV6.source.bytes();
    EXPECT_TRUE(std::equal(source.begin(), source.end(), packet.begin() + 8));
    EXPECT_EQ(Octets(packet.begin() + 24, packet.begin() + 40), Octets(about.begin() + 8, about.begin() + 24));
    auto summed = Octets(packet.begin() + 8, packet.end());
    if (summed.size() % 2 != 0) summed.push_back(0);
    append(summed, {packet[4], packet[5], 0, 58});
    EXPECT_EQ(ones_complement_sum(summed), 0xffff);
    const auto quoted = std::min<std::size_t>(about.size(), 1232);
    EXPECT_EQ(Octets(packet.begin() + 48, packet.end()),
              Octets(about.begin(), about.begin() + static_cast<std::ptrdiff_t>(quoted)));
    return {packet[40], packet[41], u16(packet, 44) << 16 | u16(packet, 46)};
}

bool none_about(const Frame& frame, const IcmpFrom& from) {
    return std::ranges::none_of(kAll, [&](auto what) { return icmp_error(frame, what, from, 1400).has_value(); });
}

bool all_about(const Frame& frame, const IcmpFrom& from) {
    return std::ranges::all_of(kAll, [&](auto what) { return icmp_error(frame, what, from, 1400).has_value(); });
}

TEST(IcmpV4, EachErrorHasItsTypeAndCode) {
    const V4 about;
    const std::map<IcmpError, Heading> expected{{IcmpError::ttl_expired, {11, 0, 0}},
                                                {IcmpError::no_route, {3, 0, 0}},
                                                {IcmpError::host_unreachable, {3, 1, 0}},
                                                {IcmpError::port_unreachable, {3, 3, 0}},
                                                {IcmpError::too_big, {3, 4, 1400}}};
    for (const auto what : kAll) {
        const auto error = icmp_error(about.frame(), what, kFromV4, 1400);
        ASSERT_TRUE(error);
        EXPECT_EQ(checked_v4(*error, about.packet()), expected.at(what));
    }
}

TEST(IcmpV6, EachErrorHasItsTypeAndCode) {
    const V6 about;
    const std::map<IcmpError, Heading> expected{{IcmpError::ttl_expired, {3, 0, 0}},
                                                {IcmpError::no_route, {1, 0, 0}},
                                                {IcmpError::host_unreachable, {1, 3, 0}},
                                                {IcmpError::port_unreachable, {1, 4, 0}},
                                                {IcmpError::too_big, {2, 0, 1400}}};
    for (const auto what : kAll) {
        const auto error = icmp_error(about.frame(), what, kFromV6, 1400);
        ASSERT_TRUE(error);
        EXPECT_EQ(checked_v6(*error, about.packet()), expected.at(what));
    }
    EXPECT_EQ(checked_v6(*icmp_error(about.frame(), IcmpError::too_big, kFromV6, 65535), about.packet()),
              (Heading{2, 0, 65535}));
}

TEST(IcmpV4, QuotesAsMuchAsFits576) {
    for (const std::size_t size : {0, 1, 8, 527, 528, 529, 1480, 9000}) {
        V4 about;
        about.payload = noise(size);
        const auto error = icmp_error(about.frame(), IcmpError::ttl_expired, kFromV4);
        ASSERT_TRUE(error) << size;
        checked_v4(*error, about.packet());
        EXPECT_LE(u16(packet_of(*error), 2), 576U);
    }
}

TEST(IcmpV6, QuotesAsMuchAsFits1280) {
    for (const std::size_t size : {0, 1, 8, 1191, 1192, 1193, 1460, 9000}) {
        V6 about;
        about.payload = noise(size);
        const auto error = icmp_error(about.frame(), IcmpError::no_route, kFromV6);
        ASSERT_TRUE(error) << size;
        checked_v6(*error, about.packet());
        EXPECT_LE(error->size(), 14U + 1280);
    }
}

TEST(Icmp, PaddingIsNotQuoted) {
    V4 v4;
    auto frame = v4.frame();
    frame.resize(frame.size() + 9, std::byte{0xee});
    checked_v4(*icmp_error(frame, IcmpError::no_route, kFromV4), v4.packet());
    V6 v6;
    frame = v6.frame();
    frame.resize(frame.size() + 9, std::byte{0xee});
    checked_v6(*icmp_error(frame, IcmpError::no_route, kFromV6), v6.packet());
}

TEST(Icmp, NoErrorAboutAFrameOfAnotherFamily) {
    EXPECT_TRUE(none_about(V4().frame(), kFromV6));
    EXPECT_TRUE(none_about(V6().frame(), kFromV4));
    EXPECT_TRUE(none_about(framed(V4().packet(), 0x86dd), kFromV6));
    EXPECT_TRUE(none_about(framed(V6().packet(), 0x0800), kFromV4));
    EXPECT_TRUE(none_about(framed(V4().packet(), 0x8100), kFromV4));
}

TEST(IcmpV4, NoErrorAboutAnError) {
    for (int type = 0; type < 256; ++type) {
        V4 about;
        about.protocol = 1;
        about.payload = {static_cast<std::uint8_t>(type), 0, 0, 0, 0, 0, 0, 0};
        const bool error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
        EXPECT_EQ(none_about(about.frame(), kFromV4), error) << type;
        EXPECT_EQ(all_about(about.frame(), kFromV4), !error) << type;
    }
    V4 hidden;
    hidden.protocol = 1;
    hidden.payload.clear();
    EXPECT_TRUE(none_about(hidden.frame(), kFromV4));
    for (const auto what : kAll) // nor about one of its own
        EXPECT_TRUE(none_about(*icmp_error(V4().frame(), what, kFromV4), kFromV4));
}

TEST(IcmpV6, NoErrorAboutAnErrorAlsoBehindExtensionHeaders) {
    // Hop-by-hop of 16 bytes, routing, a first fragment, AH of 24 bytes, destination options, mobility, HIP, shim6.
    Octets chain{43, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    append(chain, {44, 0, 0, 0, 0, 0, 0, 0});
    append(chain, {51, 0, 0, 1, 0, 0, 0, 9});
    append(chain, {60, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    append(chain, {135, 0, 0, 0, 0, 0, 0, 0});
    append(chain, {139, 0, 0, 0, 0, 0, 0, 0});
    append(chain, {140, 0, 0, 0, 0, 0, 0, 0});
    append(chain, {58, 0, 0, 0, 0, 0, 0, 0});
    for (int type = 0; type < 256; ++type) {
        const Octets message{static_cast<std::uint8_t>(type), 0, 0, 0, 0, 0, 0, 0};
        V6 plain;
        plain.next = 58;
        plain.payload = message;
        V6 chained;
        chained.next = 0;
        chained.payload = chain;
        append(chained.payload, message);
        const bool error = type < 128 || type == 137;
        EXPECT_EQ(none_about(plain.frame(), kFromV6), error) << type;
        EXPECT_EQ(all_about(plain.frame(), kFromV6), !error) << type;
        EXPECT_EQ(none_about(chained.frame(), kFromV6), error) << type;
        EXPECT_EQ(all_about(chained.frame(), kFromV6), !error) << type;
    }
    // The packet ends within the chain: what follows could be an error.
    for (std::size_t length = 0; length <= chain.size(); ++length) {
        V6 cut;
        cut.next = 0;
        cut.payload = {chain.begin(), chain.begin() + static_cast<std::ptrdiff_t>(length)};
        EXPECT_TRUE(none_about(cut.frame(), kFromV6)) << length;
    }
    for (const auto what : kAll)
        EXPECT_TRUE(none_about(*icmp_error(V6().frame(), what, kFromV6), kFromV6));
}

TEST(Icmp, OnlyTheFirstFragmentIsTalkedAbout) {
    V4 v4;
    v4.flags = 0x2000;
    EXPECT_TRUE(all_about(v4.frame(), kFromV4));
    for (const std::uint16_t flags : {0x2001, 0x0001, 0x1fff}) {
        v4.flags = flags;
        EXPECT_TRUE(none_about(v4.frame(), kFromV4)) << flags;
    }
    V6 v6;
    v6.next = 44;
    for (const std::uint8_t offset : {0, 1, 8, 9}) {
        v6.payload = {17, 0, 0, offset, 0, 0, 0, 1};
        EXPECT_EQ(all_about(v6.frame(), kFromV6), offset < 8);
        EXPECT_EQ(none_about(v6.frame(), kFromV6), offset >= 8);
    }
}

TEST(IcmpV4, NoErrorToOrAboutManyOrNone) {
    for (const auto* source :
         {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.9.9.9", "240.0.0.1", "255.255.255.255"}) {
        V4 about;
        about.source = source;
        EXPECT_TRUE(none_about(about.frame(), kFromV4)) << source;
    }
    for (const auto* destination : {"0.0.0.0", "224.0.0.1", "239.255.255.255", "255.255.255.255"}) {
        V4 about;
        about.destination = destination;
        EXPECT_TRUE(none_about(about.frame(), kFromV4)) << destination;
    }
    for (const std::uint8_t first : {0x01, 0xff}) {
        auto frame = V4().frame();
        frame[0] = std::byte{first};
        EXPECT_TRUE(none_about(frame, kFromV4));
    }
}

TEST(IcmpV6, NoErrorToOrAboutManyOrNoneButTooBig) {
    for (const auto* source : {"::", "::1", "ff02::1", "ff0e::1234"}) {
        V6 about;
        about.source = source;
        EXPECT_TRUE(none_about(about.frame(), kFromV6)) << source;
    }
    V6 unspecified;
    unspecified.destination = "::";
    EXPECT_TRUE(none_about(unspecified.frame(), kFromV6));
    V6 group;
    group.destination = "ff0e::1234";
    auto frame = V6().frame();
    frame[0] = std::byte{0x33};
    for (const auto what : kAll) {
        EXPECT_EQ(icmp_error(group.frame(), what, kFromV6, 1400).has_value(), what == IcmpError::too_big);
        EXPECT_EQ(icmp_error(frame, what, kFromV6, 1400).has_value(), what == IcmpError::too_big);
    }
}

TEST(Icmp, NothingAboutAFrameThatIsCutOffOrWrong) {
    V4 v4;
    v4.options = {1, 1, 1, 0};
    const auto frame4 = v4.frame(), frame6 = V6().frame();
    for (std::size_t length = 0; length < frame4.size(); ++length) {
        const Frame cut(frame4.begin(), frame4.begin() + static_cast<std::ptrdiff_t>(length));
        EXPECT_TRUE(none_about(cut, kFromV4)) << length;
        EXPECT_FALSE(may_fragment(cut)) << length;
        EXPECT_TRUE(fragment(cut, 68).empty()) << length;
    }
    for (std::size_t length = 0; length < frame6.size(); ++length)
        EXPECT_TRUE(none_about({frame6.begin(), frame6.begin() + static_cast<std::ptrdiff_t>(length)}, kFromV6));
    // A wrong bit in IPv4's header shows by its checksum.
    for (std::size_t index = 14; index < 38; ++index) {
        auto wrong = frame4;
        wrong[index] ^= std::byte{0x10};
        EXPECT_TRUE(none_about(wrong, kFromV4)) << index;
        EXPECT_TRUE(fragment(wrong, 1500).empty()) << index;
    }
}

TEST(IcmpV4, LengthsThatContradictEachOther) {
    const auto with = [](std::size_t index, std::uint8_t value) {
        auto packet = V4().packet();
        packet[index] = value;
        packet[10] = packet[11] = 0;
        const std::size_t header = std::min<std::size_t>((packet[0] & 15) * 4U, packet.size());
        const auto sum = static_cast<std::uint16_t>(
            ~ones_complement_sum({packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(header)}));
        packet[10] = static_cast<std::uint8_t>(sum >> 8);
        packet[11] = static_cast<std::uint8_t>(sum);
        return framed(packet, 0x0800);
    };
    ASSERT_TRUE(all_about(with(3, 52), kFromV4));
    EXPECT_TRUE(none_about(with(3, 53), kFromV4)) << "longer than the frame";
    EXPECT_TRUE(none_about(with(3, 19), kFromV4)) << "shorter than its header";
    EXPECT_TRUE(none_about(with(0, 0x44), kFromV4)) << "header too short";
    EXPECT_TRUE(none_about(with(0, 0x4f), kFromV4)) << "header longer than the packet";
    EXPECT_TRUE(none_about(with(0, 0x65), kFromV4)) << "version";
}

/// What a receiver puts together; nothing if a byte is missing, doubled or behind the end. The first fragment's header
/// with the flags, length and checksum of the whole. `last` is false when the pieces are not a datagram's end.
struct Whole {
    Octets header, payload;
    std::size_t start = 0;
    bool last = false;
};

std::optional<Whole> reassembled(std::vector<Frame> frames) {
    // By offset: the order must not matter.
    std::map<std::size_t, Octets> pieces;
    for (const auto& frame : frames) {
        const auto packet = packet_of(frame);
        if (!pieces.emplace((u16(packet, 6) & 0x1fff) * 8, packet).second) return std::nullopt;
    }
    if (pieces.empty()) return std::nullopt;
    Whole whole;
    whole.start = pieces.begin()->first;
    auto next = whole.start;
    for (const auto& [offset, packet] : pieces) {
        if (offset != next || whole.last) return std::nullopt;
        const std::ptrdiff_t header = (packet[0] & 15) * 4;
        if (whole.header.empty()) whole.header = {packet.begin(), packet.begin() + header};
        whole.payload.insert(whole.payload.end(), packet.begin() + header, packet.end());
        next = whole.start + whole.payload.size();
        whole.last = (u16(packet, 6) & 0x2000) == 0;
    }
    return whole;
}

/// Every fragment by itself: size, checksum, what it has of the original.
void check_each(const std::vector<Frame>& fragments, const Frame& original, std::size_t mtu) {
    const auto whole = packet_of(original);
    for (const auto& frame : fragments) {
        RC_ASSERT(std::equal(frame.begin(), frame.begin() + 14, original.begin()));
        const auto packet = packet_of(frame);
        RC_ASSERT(packet.size() <= mtu);
        RC_ASSERT(u16(packet, 2) == packet.size());
        const std::ptrdiff_t header = (packet[0] & 15) * 4;
        RC_ASSERT(ones_complement_sum({packet.begin(), packet.begin() + header}) == 0xffff);
        RC_ASSERT(packet[1] == whole[1]);
        RC_ASSERT(u16(packet, 4) == u16(whole, 4));
        RC_ASSERT(std::equal(packet.begin() + 8, packet.begin() + 10, whole.begin() + 8));
        RC_ASSERT(std::equal(packet.begin() + 12, packet.begin() + 20, whole.begin() + 12));
        const auto length = packet.size() - static_cast<std::size_t>(header);
        if ((u16(packet, 6) & 0x2000) != 0) RC_ASSERT(length % 8 == 0U);
    }
}

Octets any_options() {
    Octets options;
    const auto count = *rc::gen::inRange(0, 6);
    for (int i = 0; i < count; ++i) {
        const auto type = *rc::gen::element<std::uint8_t>(1, 7, 68, 0x82, 0x83, 0x94);
        Octets option{type};
        if (type != 1) {
            option = noise(*rc::gen::inRange<std::size_t>(2, 12));
            option[0] = type;
            option[1] = static_cast<std::uint8_t>(option.size());
        }
        if (options.size() + option.size() <= 40) append(options, option);
    }
    options.resize((options.size() + 3) / 4 * 4);
    return options;
}

RC_GTEST_PROP(Fragment, PutTogetherTheyAreTheOriginal, ()) {
    V4 original;
    original.options = any_options();
    original.payload = noise(*rc::gen::inRange<std::size_t>(0, 4000), *rc::gen::arbitrary<unsigned>());
    const auto mtu = *rc::gen::inRange<std::uint16_t>(68, 1600);
    const auto frame = original.frame();
    const auto fragments = fragment(frame, mtu);
    check_each(fragments, frame, mtu);
    const auto whole = reassembled(fragments);
    RC_ASSERT(whole.has_value());
    RC_ASSERT(whole->start == 0U);
    RC_ASSERT(whole->last);
    RC_ASSERT(whole->payload == original.payload);
    RC_ASSERT(Octets(whole->header.begin() + 20, whole->header.end()) == original.options);
    RC_ASSERT((fragments.size() == 1) == (original.packet().size() <= mtu));
    if (fragments.size() == 1) RC_ASSERT(fragments[0] == frame);
}

RC_GTEST_PROP(Fragment, AFragmentIsCutFurther, ()) {
    V4 original;
    original.options = any_options();
    const bool more = *rc::gen::arbitrary<bool>();
    auto size = *rc::gen::inRange<std::size_t>(1, 2000);
    if (more) size = (size + 7) / 8 * 8;
    original.payload = noise(size);
    const auto offset = *rc::gen::inRange(0, 7000);
    original.flags = static_cast<std::uint16_t>((more ? 0x2000 : 0) | offset);
    const auto mtu = *rc::gen::inRange<std::uint16_t>(68, 1600);
    const auto fragments = fragment(original.frame(), mtu);
    check_each(fragments, original.frame(), mtu);
    const auto whole = reassembled(fragments);
    RC_ASSERT(whole.has_value());
    RC_ASSERT(whole->start == static_cast<std::size_t>(offset) * 8);
    RC_ASSERT(whole->last == !more);
    RC_ASSERT(whole->payload == original.payload);
    // And twice cut is as good as once.
    std::vector<Frame> again;
    for (const auto& frame : fragments)
        for (auto& piece : fragment(frame, 68))
            again.push_back(std::move(piece));
    const auto twice = reassembled(again);
    RC_ASSERT(twice.has_value());
    RC_ASSERT(twice->payload == original.payload);
    RC_ASSERT(twice->last == !more);
}

TEST(Fragment, OnlyCopiedOptionsAreInLaterOnes) {
    V4 original;
    // No-operation, record route (not copied), loose source route (copied, 7 bytes), end and padding.
    original.options = {1, 7, 7, 4, 0, 0, 0, 0, 0x83, 7, 4, 9, 9, 9, 9, 0};
    original.payload = noise(100);
    const auto fragments = fragment(original.frame(), 76);
    ASSERT_EQ(fragments.size(), 3U); // 40, 48 and 12 bytes
    const auto first = packet_of(fragments[0]);
    EXPECT_EQ(first.size(), 76U);
    EXPECT_EQ(Octets(first.begin() + 20, first.begin() + 36), original.options);
    for (std::size_t i = 1; i < 3; ++i) {
        const auto later = packet_of(fragments[i]);
        EXPECT_EQ(later[0], 0x47);
        EXPECT_EQ(Octets(later.begin() + 20, later.begin() + 28), (Octets{0x83, 7, 4, 9, 9, 9, 9, 0}));
    }
    EXPECT_EQ(u16(packet_of(fragments[0]), 6), 0x2000U);
    EXPECT_EQ(u16(packet_of(fragments[1]), 6), 0x2005U);
    EXPECT_EQ(u16(packet_of(fragments[2]), 6), 0x000bU);
}

TEST(Fragment, BrokenOptionsAreNotCut) {
    for (const Octets& options : {Octets{7, 0, 0, 0}, Octets{7, 1, 0, 0}, Octets{7, 5, 0, 0}, Octets{1, 1, 1, 0x83}}) {
        V4 original;
        original.options = options;
        original.payload = noise(100);
        EXPECT_TRUE(fragment(original.frame(), 68).empty());
    }
    V4 ended;
    ended.options = {0, 7, 0, 0}; // behind the end of the list anything may stand
    ended.payload = noise(100);
    EXPECT_FALSE(fragment(ended.frame(), 68).empty());
}

TEST(Fragment, WhatMayNotOrCannotBeCut) {
    V4 original;
    original.payload = noise(200);
    EXPECT_TRUE(may_fragment(original.frame()));
    EXPECT_EQ(fragment(original.frame(), 68).size(), 5U);
    EXPECT_TRUE(fragment(original.frame(), 67).empty());
    EXPECT_TRUE(fragment(original.frame(), 0).empty());
    original.flags = 0x4000;
    EXPECT_FALSE(may_fragment(original.frame()));
    EXPECT_TRUE(fragment(original.frame(), 68).empty());
    EXPECT_FALSE(may_fragment(V6().frame()));
    EXPECT_TRUE(fragment(V6().frame(), 68).empty());
    // More to come behind a length that no offset can name, or behind nothing.
    original.flags = 0x2000;
    original.payload = noise(201);
    EXPECT_TRUE(fragment(original.frame(), 68).empty());
    original.payload.clear();
    EXPECT_TRUE(fragment(original.frame(), 68).empty());
    // The end of a datagram of more than 65535 bytes; and of just that.
    original.flags = 0x1fff;
    original.payload = noise(8);
    EXPECT_TRUE(fragment(original.frame(), 68).empty());
    original.flags = 0x1f00;
    original.payload = noise(0xffff - 20 - 0x1f00 * 8);
    EXPECT_FALSE(fragment(original.frame(), 68).empty());
    original.payload = noise(0xffff - 20 - 0x1f00 * 8 + 1);
    EXPECT_TRUE(fragment(original.frame(), 68).empty());
}

TEST(Fragment, TheLongestPacketThroughTheNarrowestLink) {
    V4 original;
    original.options = Octets(40, 1);
    original.payload = noise(0xffff - 60);
    const auto fragments = fragment(original.frame(), 68);
    const auto whole = reassembled(fragments);
    ASSERT_TRUE(whole);
    EXPECT_TRUE(whole->last);
    EXPECT_EQ(whole->payload, original.payload);
}

TEST(Fragment, PaddingIsNoPayload) {
    V4 original;
    original.payload = noise(100);
    auto frame = original.frame();
    frame.resize(frame.size() + 20, std::byte{0xee});
    EXPECT_EQ(reassembled(fragment(frame, 68))->payload, original.payload);
    EXPECT_EQ(fragment(frame, 1500), std::vector<Frame>{original.frame()});
}

RC_GTEST_PROP(Icmp, AnyBytesAreReadSafely, (const Octets& bytes)) {
    const auto read = [](const Frame& frame) {
        for (const auto what : kAll) {
            (void)icmp_error(frame, what, kFromV4, 1400);
            (void)icmp_error(frame, what, kFromV6, 1400);
        }
        (void)may_fragment(frame);
        (void)fragment(frame, 68);
    };
    const auto all = std::as_bytes(std::span(bytes));
    read({all.begin(), all.end()});
    read(framed(bytes, 0x0800));
    read(framed(bytes, 0x86dd));
    // Noise under right headers: options, payload, extension headers.
    V4 v4;
    v4.options = {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(bytes.size(), 40))};
    v4.options.resize(v4.options.size() / 4 * 4);
    v4.payload = bytes;
    v4.protocol = *rc::gen::element<std::uint8_t>(1, 6, 17);
    v4.flags = *rc::gen::arbitrary<std::uint16_t>();
    read(v4.frame());
    V6 v6;
    v6.next = *rc::gen::element<std::uint8_t>(0, 43, 44, 51, 58, 60, 135);
    v6.payload = bytes;
    read(v6.frame());
}

} // namespace
} // namespace weft::controller
