#include "controller/dhcp4.hpp"

#include "controller/udp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <rapidcheck/gtest.h>
#include <tins/dhcp.h>

namespace weft::controller {
namespace {

using Lease = Exchange::Lease;
using Octets = std::vector<std::uint8_t>;
using testing::ElementsAre;

constexpr std::size_t kOptions = 240; ///< of the payload: the fixed fields and the cookie
const Mac kGuest = *Mac::parse("52:54:00:00:01:10");
const Mac kServer = *Mac::parse("0a:00:00:00:00:01");
const Mac kEverybody = *Mac::parse("ff:ff:ff:ff:ff:ff");

Ip ip(std::string_view text) {
    return *Ip::parse(text);
}

GuestConfig guest() {
    return {.port = "vm1",
            .network = "blue",
            .mac = kGuest,
            .server_mac = kServer,
            .mtu = 1450,
            .ip = ip("10.0.1.10"),
            .subnet = Prefix::parse("10.0.1.0/24"),
            .server = ip("10.0.1.1"),
            .router = ip("10.0.1.1"),
            .dns = {ip("fd00::53"), ip("9.9.9.9"), ip("1.1.1.1")},
            .ntp = {ip("10.0.1.2"), ip("fd00::123")},
            .domain = "blue.example",
            .host_name = "vm1",
            .lease = std::chrono::seconds(3600)};
}

/// A client's message, byte for byte: what is not said here is zero.
struct Ask {
    int type = 1;                                     ///< a discover
    std::vector<std::pair<int, Octets>> options = {}; ///< behind the type
    std::string ciaddr = "0.0.0.0", giaddr = "0.0.0.0", source = "0.0.0.0", destination = "255.255.255.255";
    int flags = 0, op = 1, htype = 1, hlen = 6;
    Mac source_mac = kGuest, chaddr = kGuest;
    std::uint16_t source_port = 68, destination_port = 67;
    std::uint32_t cookie = 0x63825363;
    Octets tail = {255};          ///< behind the options
    Octets file = {}, sname = {}; ///< what they begin with

    Frame frame() const {
        Octets bytes{static_cast<std::uint8_t>(op), static_cast<std::uint8_t>(htype), static_cast<std::uint8_t>(hlen),
                     0};
        const auto u32 = [&](std::uint32_t value) {
            for (const int shift : {24, 16, 8, 0})
                bytes.push_back(static_cast<std::uint8_t>(value >> shift));
        };
        const auto fill = [&](Octets value, std::size_t size) {
            value.resize(size);
            bytes.insert(bytes.end(), value.begin(), value.end());
        };
        u32(0xdecade01);
        u32(static_cast<std::uint32_t>(flags)); // secs is zero
        u32(ip(ciaddr).v4());
        u32(0);
        u32(0);
        u32(ip(giaddr).v4());
        fill({chaddr.bytes.begin(), chaddr.bytes.end()}, 16);
        fill(sname, 64);
        fill(file, 128);
        u32(cookie);
        if (type != 0) bytes.insert(bytes.end(), {53, 1, static_cast<std::uint8_t>(type)});
        for (const auto& [code, value] : options) {
            bytes.push_back(static_cast<std::uint8_t>(code));
            bytes.push_back(static_cast<std::uint8_t>(value.size()));
            bytes.insert(bytes.end(), value.begin(), value.end());
        }
        bytes.insert(bytes.end(), tail.begin(), tail.end());
        return udp_frame({source_mac, kEverybody, ip(source), ip(destination), source_port, destination_port,
                          std::as_bytes(std::span(bytes))});
    }
};

Octets octets(std::string_view text) {
    return {text.begin(), text.end()};
}

Octets octets(const Ip& address) {
    return {address.bytes().end() - 4, address.bytes().end()};
}

constexpr int kRequest = 3, kDecline = 4, kRelease = 7, kInform = 8;

Ask select(std::string_view address, std::string_view server = "10.0.1.1") {
    return {.type = kRequest, .options = {{54, octets(ip(server))}, {50, octets(ip(address))}}};
}

Ask reboot(std::string_view address) {
    return {.type = kRequest, .options = {{50, octets(ip(address))}}};
}

Ask renew(const std::string& address) {
    return {.type = kRequest, .ciaddr = address, .source = address, .destination = "10.0.1.1"};
}

Ask rebind(const std::string& address) {
    return {.type = kRequest, .ciaddr = address, .source = address};
}

/// An answer, read by the book and apart from libtins.
struct Told {
    Datagram datagram; ///< its payload is gone
    Octets bytes;
    std::vector<int> order; ///< of the options
    std::map<int, Octets> options;

    explicit Told(const Exchange& exchange) {
        EXPECT_TRUE(exchange.answer) << exchange.reason;
        if (!exchange.answer) return;
        const auto found = controller::datagram(*exchange.answer);
        EXPECT_TRUE(found);
        if (!found) return;
        datagram = *found;
        for (const auto byte : found->payload)
            bytes.push_back(std::to_integer<std::uint8_t>(byte));
        datagram.payload = {};
        for (std::size_t at = kOptions; at < bytes.size() && bytes[at] != 255;) {
            const int code = bytes.at(at);
            const std::size_t length = bytes.at(at + 1);
            if (!options.contains(code)) order.push_back(code);
            for (std::size_t i = 0; i < length; ++i)
                options[code].push_back(bytes.at(at + 2 + i));
            options[code];
            at += 2 + length;
        }
    }

    Ip address(std::size_t at) const {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < 4; ++i)
            value = value << 8 | bytes.at(at + i);
        return Ip::v4(value);
    }
    Ip ciaddr() const { return address(12); }
    Ip yiaddr() const { return address(16); }
    int type() const { return options.at(53).at(0); }
    std::string text(int code) const { return {options.at(code).begin(), options.at(code).end()}; }
    std::uint32_t number(int code) const {
        std::uint32_t value = 0;
        for (const auto octet : options.at(code))
            value = value << 8 | octet;
        return value;
    }
};

void expect_nothing(const Exchange& exchange, std::string_view reason) {
    EXPECT_FALSE(exchange.answer);
    EXPECT_EQ(exchange.answered, "");
    EXPECT_EQ(exchange.lease, Lease::none);
    EXPECT_EQ(exchange.address, std::nullopt);
    EXPECT_EQ(exchange.reason, reason);
}

void expect_bound(const Exchange& exchange, std::string_view asked) {
    EXPECT_EQ(exchange.asked, asked);
    EXPECT_EQ(exchange.answered, "ack");
    EXPECT_EQ(exchange.lease, Lease::bound);
    EXPECT_EQ(exchange.address, ip("10.0.1.10"));
    EXPECT_EQ(exchange.reason, "");
    const Told told(exchange);
    EXPECT_EQ(told.type(), 5);
    EXPECT_EQ(told.yiaddr(), ip("10.0.1.10"));
    EXPECT_EQ(told.number(51), 3600U);
}

void expect_refused(const Exchange& exchange, std::string_view asked) {
    EXPECT_EQ(exchange.asked, asked);
    EXPECT_EQ(exchange.answered, "nak");
    EXPECT_EQ(exchange.lease, Lease::refused);
    EXPECT_EQ(exchange.address, std::nullopt);
    EXPECT_EQ(exchange.reason, "asks for 10.0.1.7, has 10.0.1.10");
    const Told told(exchange);
    EXPECT_EQ(told.type(), 6);
    EXPECT_EQ(told.yiaddr(), ip("0.0.0.0"));
    EXPECT_EQ(told.ciaddr(), ip("0.0.0.0"));
    EXPECT_THAT(told.order, ElementsAre(53, 54, 56));
    EXPECT_EQ(told.text(56), exchange.reason);
    EXPECT_EQ(told.datagram.destination, ip("255.255.255.255")); // RFC 2131, 4.3.2, also to who renews
    EXPECT_EQ(told.datagram.destination_mac, kEverybody);
}

TEST(Dhcp4, a_discover_is_offered_the_ports_address) {
    const auto exchange = answer_dhcp4(Ask{}.frame(), guest());
    EXPECT_EQ(exchange.asked, "discover");
    EXPECT_EQ(exchange.answered, "offer");
    EXPECT_EQ(exchange.lease, Lease::none);
    EXPECT_EQ(exchange.reason, "");
    const Told told(exchange);
    EXPECT_EQ(told.type(), 2);
    EXPECT_EQ(told.yiaddr(), ip("10.0.1.10"));
    EXPECT_EQ(told.datagram.source_mac, kServer);
    EXPECT_EQ(told.datagram.source, ip("10.0.1.1"));
    EXPECT_EQ(told.datagram.source_port, 67);
    EXPECT_EQ(told.datagram.destination_port, 68);
}

TEST(Dhcp4, the_fixed_fields_of_an_answer) {
    const Told told(answer_dhcp4(Ask{.flags = 0x8001}.frame(), guest()));
    EXPECT_EQ(Octets(told.bytes.begin(), told.bytes.begin() + 4), (Octets{2, 1, 6, 0}));
    EXPECT_EQ(told.address(4).v4(), 0xdecade01U);
    EXPECT_EQ(told.address(8).v4(), 0x8001U);
    EXPECT_EQ(told.address(20).v4(), 0U) << "siaddr";
    EXPECT_EQ(told.address(24).v4(), 0U) << "giaddr";
    Octets chaddr(kGuest.bytes.begin(), kGuest.bytes.end());
    chaddr.resize(16 + 64 + 128); // neither sname nor file
    EXPECT_EQ(Octets(told.bytes.begin() + 28, told.bytes.begin() + 236), chaddr);
    EXPECT_EQ(told.address(236).v4(), 0x63825363U);
    EXPECT_GE(told.bytes.size(), 300U);
}

TEST(Dhcp4, all_options_and_their_order_without_a_list) {
    const Told told(answer_dhcp4(Ask{}.frame(), guest()));
    EXPECT_THAT(told.order, ElementsAre(53, 54, 51, 58, 59, 1, 3, 6, 26, 121, 15, 12, 28, 42));
    const std::map<int, Octets> expected{{53, {2}},
                                         {54, {10, 0, 1, 1}},
                                         {51, {0, 0, 0x0e, 0x10}},
                                         {58, {0, 0, 0x07, 0x08}},
                                         {59, {0, 0, 0x0c, 0x4e}},
                                         {1, {255, 255, 255, 0}},
                                         {3, {10, 0, 1, 1}},
                                         {6, {9, 9, 9, 9, 1, 1, 1, 1}},
                                         {26, {0x05, 0xaa}},
                                         {121, {0, 10, 0, 1, 1}},
                                         {15, octets("blue.example")},
                                         {12, octets("vm1")},
                                         {28, {10, 0, 1, 255}},
                                         {42, {10, 0, 1, 2}}};
    EXPECT_EQ(told.options, expected);
}

TEST(Dhcp4, a_list_orders_and_limits_what_is_optional) {
    const auto list = [](Octets codes) {
        return Told(answer_dhcp4(Ask{.options = {{55, std::move(codes)}}}.frame(), guest()));
    };
    EXPECT_THAT(list({42, 12, 3, 1}).order, ElementsAre(53, 54, 51, 58, 59, 1, 3, 6, 26, 42, 12));
    EXPECT_THAT(list({}).order, ElementsAre(53, 54, 51, 58, 59, 1, 3, 6, 26));
    EXPECT_THAT(list({28, 28, 15, 28, 51}).order, ElementsAre(53, 54, 51, 58, 59, 1, 3, 6, 26, 28, 15));
    EXPECT_THAT(list({28, 28}).options.at(28), ElementsAre(10, 0, 1, 255)) << "once";
    EXPECT_THAT(list({0, 255, 43, 66, 252}).order, ElementsAre(53, 54, 51, 58, 59, 1, 3, 6, 26));
}

TEST(Dhcp4, what_is_not_known_is_not_told) {
    GuestConfig poor = guest();
    poor.router.reset();
    poor.subnet.reset();
    poor.dns = {ip("fd00::53")};
    poor.ntp.clear();
    poor.domain.clear();
    poor.host_name.clear();
    const Octets all{1, 3, 6, 12, 15, 26, 28, 42, 119, 121, 249};
    EXPECT_THAT(Told(answer_dhcp4(Ask{.options = {{55, all}}}.frame(), poor)).order,
                ElementsAre(53, 54, 51, 58, 59, 26));
    EXPECT_THAT(Told(answer_dhcp4(Ask{}.frame(), poor)).order, ElementsAre(53, 54, 51, 58, 59, 26));
    // RFC 3021: two addresses leave none to broadcast to.
    auto pair = guest();
    pair.subnet = Prefix::parse("10.0.1.10/31");
    EXPECT_FALSE(Told(answer_dhcp4(Ask{}.frame(), pair)).options.contains(28));
    EXPECT_THAT(Told(answer_dhcp4(Ask{}.frame(), pair)).options.at(1), ElementsAre(255, 255, 255, 254));
}

TEST(Dhcp4, rapid_commit_acknowledges_at_once) {
    const auto exchange = answer_dhcp4(Ask{.options = {{80, {}}}}.frame(), guest());
    expect_bound(exchange, "discover");
    const Told told(exchange);
    ASSERT_TRUE(told.options.contains(80)); // RFC 4039, 3.1
    EXPECT_TRUE(told.options.at(80).empty());
    EXPECT_FALSE(Told(answer_dhcp4(reboot("10.0.1.10").frame(), guest())).options.contains(80));
}

TEST(Dhcp4, who_selects_this_server_gets_its_own_address_or_a_nak) {
    expect_bound(answer_dhcp4(select("10.0.1.10").frame(), guest()), "select");
    expect_refused(answer_dhcp4(select("10.0.1.7").frame(), guest()), "select");
    expect_nothing(answer_dhcp4(select("10.0.1.10", "10.0.1.99").frame(), guest()),
                   "means the server 10.0.1.99, here is 10.0.1.1");
    EXPECT_EQ(answer_dhcp4(select("10.0.1.10", "10.0.1.99").frame(), guest()).asked, "select");
}

TEST(Dhcp4, who_selects_may_name_its_address_where_others_renew) {
    const Ask ask{.type = kRequest, .options = {{54, {10, 0, 1, 1}}}, .ciaddr = "10.0.1.10"};
    expect_bound(answer_dhcp4(ask.frame(), guest()), "select");
}

TEST(Dhcp4, who_reboots_gets_its_own_address_or_a_nak) {
    expect_bound(answer_dhcp4(reboot("10.0.1.10").frame(), guest()), "reboot");
    expect_refused(answer_dhcp4(reboot("10.0.1.7").frame(), guest()), "reboot");
    // From another network: no silence, for nobody else answers this port.
    EXPECT_EQ(answer_dhcp4(reboot("192.168.0.2").frame(), guest()).answered, "nak");
}

TEST(Dhcp4, who_renews_or_rebinds_gets_its_own_address_or_a_nak) {
    expect_bound(answer_dhcp4(renew("10.0.1.10").frame(), guest()), "renew");
    expect_bound(answer_dhcp4(rebind("10.0.1.10").frame(), guest()), "rebind");
    expect_refused(answer_dhcp4(renew("10.0.1.7").frame(), guest()), "renew");
    expect_refused(answer_dhcp4(rebind("10.0.1.7").frame(), guest()), "rebind");
    EXPECT_EQ(Told(answer_dhcp4(renew("10.0.1.10").frame(), guest())).ciaddr(), ip("10.0.1.10"));
    // It must not name it twice; what it has is what counts.
    auto twice = renew("10.0.1.10");
    twice.options = {{50, {10, 0, 1, 7}}};
    expect_bound(answer_dhcp4(twice.frame(), guest()), "renew");
}

TEST(Dhcp4, a_request_for_no_address_gets_nothing) {
    expect_nothing(answer_dhcp4(Ask{.type = kRequest}.frame(), guest()), "asks for no address");
    expect_nothing(answer_dhcp4(Ask{.type = kRequest, .options = {{54, {10, 0, 1, 1}}}}.frame(), guest()),
                   "asks for no address");
}

TEST(Dhcp4, an_inform_is_told_all_but_an_address) {
    const auto exchange =
        answer_dhcp4(Ask{.type = kInform, .ciaddr = "10.0.1.10", .source = "10.0.1.10"}.frame(), guest());
    EXPECT_EQ(exchange.asked, "inform");
    EXPECT_EQ(exchange.answered, "ack");
    EXPECT_EQ(exchange.lease, Lease::none);
    const Told told(exchange);
    EXPECT_EQ(told.yiaddr(), ip("0.0.0.0"));
    EXPECT_EQ(told.ciaddr(), ip("10.0.1.10"));
    EXPECT_EQ(told.datagram.destination, ip("10.0.1.10"));
    EXPECT_THAT(told.order, ElementsAre(53, 54, 1, 3, 6, 26, 121, 15, 12, 28, 42));
    // Windows has been seen to leave ciaddr out.
    EXPECT_EQ(Told(answer_dhcp4(Ask{.type = kInform, .source = "10.0.1.10"}.frame(), guest())).datagram.destination,
              ip("10.0.1.10"));
    EXPECT_EQ(Told(answer_dhcp4(Ask{.type = kInform}.frame(), guest())).datagram.destination, ip("255.255.255.255"));
}

TEST(Dhcp4, a_release_is_noted_and_not_answered) {
    Ask ask{.type = kRelease, .options = {{54, {10, 0, 1, 1}}}, .ciaddr = "10.0.1.10", .destination = "10.0.1.1"};
    const auto exchange = answer_dhcp4(ask.frame(), guest());
    EXPECT_EQ(exchange.asked, "release");
    EXPECT_FALSE(exchange.answer);
    EXPECT_EQ(exchange.answered, "");
    EXPECT_EQ(exchange.reason, "");
    EXPECT_EQ(exchange.lease, Lease::released);
    EXPECT_EQ(exchange.address, ip("10.0.1.10"));
    ask.ciaddr = "10.0.1.7";
    expect_nothing(answer_dhcp4(ask.frame(), guest()), "gives back 10.0.1.7, has 10.0.1.10");
    ask.ciaddr = "10.0.1.10";
    ask.options = {{54, {10, 0, 1, 9}}};
    expect_nothing(answer_dhcp4(ask.frame(), guest()), "means the server 10.0.1.9, here is 10.0.1.1");
}

TEST(Dhcp4, a_decline_is_noted_and_not_answered) {
    Ask ask = select("10.0.1.10");
    ask.type = kDecline;
    const auto exchange = answer_dhcp4(ask.frame(), guest());
    EXPECT_EQ(exchange.asked, "decline");
    EXPECT_FALSE(exchange.answer);
    EXPECT_EQ(exchange.reason, "");
    EXPECT_EQ(exchange.lease, Lease::declined);
    EXPECT_EQ(exchange.address, ip("10.0.1.10"));
    ask.options = {{54, {10, 0, 1, 1}}, {50, {10, 0, 1, 7}}};
    expect_nothing(answer_dhcp4(ask.frame(), guest()), "gives back 10.0.1.7, has 10.0.1.10");
    ask.options = {};
    expect_nothing(answer_dhcp4(ask.frame(), guest()), "gives back no address, has 10.0.1.10");
}

TEST(Dhcp4, an_answer_goes_where_rfc_2131_4_1_says) {
    const Told plain(answer_dhcp4(Ask{}.frame(), guest()));
    EXPECT_EQ(plain.datagram.destination, ip("10.0.1.10"));
    EXPECT_EQ(plain.datagram.destination_mac, kGuest);
    const Told broadcast(answer_dhcp4(Ask{.flags = 0x8000}.frame(), guest()));
    EXPECT_EQ(broadcast.datagram.destination, ip("255.255.255.255"));
    EXPECT_EQ(broadcast.datagram.destination_mac, kEverybody);
    auto ask = renew("10.0.1.10"); // has its address: the flag does not count
    ask.flags = 0x8000;
    const Told renewed(answer_dhcp4(ask.frame(), guest()));
    EXPECT_EQ(renewed.datagram.destination, ip("10.0.1.10"));
    EXPECT_EQ(renewed.datagram.destination_mac, kGuest);
}

TEST(Dhcp4, who_is_not_the_guest_gets_nothing) {
    const Mac other = *Mac::parse("52:54:00:00:01:11");
    expect_nothing(answer_dhcp4(Ask{.source_mac = other}.frame(), guest()),
                   "sends as 52:54:00:00:01:11, is 52:54:00:00:01:10");
    expect_nothing(answer_dhcp4(Ask{.chaddr = other}.frame(), guest()),
                   "asks for 52:54:00:00:01:11, is 52:54:00:00:01:10");
    expect_nothing(answer_dhcp4(Ask{.giaddr = "10.0.1.10"}.frame(), guest()), "relays for somebody");
    auto without = guest();
    without.ip.reset();
    without.server.reset();
    expect_nothing(answer_dhcp4(Ask{}.frame(), without), "has no IPv4 address");
    EXPECT_EQ(answer_dhcp4(Ask{}.frame(), without).asked, "discover");
}

TEST(Dhcp4, who_asks_another_server_gets_nothing) {
    auto ask = renew("10.0.1.10");
    ask.destination = "10.0.1.9";
    expect_nothing(answer_dhcp4(ask.frame(), guest()), "asks the server 10.0.1.9, here is 10.0.1.1");
    ask.destination = "10.0.1.255";
    EXPECT_EQ(answer_dhcp4(ask.frame(), guest()).answered, "ack");
}

TEST(Dhcp4, what_is_no_clients_message_gets_nothing) {
    const auto expect = [](const Ask& ask, std::string_view reason) {
        const auto exchange = answer_dhcp4(ask.frame(), guest());
        expect_nothing(exchange, reason);
        EXPECT_EQ(exchange.asked, "");
    };
    expect({.op = 2}, "sends what a DHCP server sends");
    expect({.htype = 6}, "asks with a hardware address that is not Ethernet's");
    expect({.hlen = 8}, "asks with a hardware address that is not Ethernet's");
    expect({.cookie = 0x63825364}, "asks by BOOTP, not DHCP");
    expect({.type = 0}, "asks by BOOTP, not DHCP");
    for (const int type : {2, 5, 6, 9, 13, 255})
        expect({.type = type}, "sends a DHCP message of type " + std::to_string(type) + ", no client's");
    expect({.source_port = 67}, "sends no DHCP message");
    expect({.destination_port = 68}, "sends no DHCP message");
    expect({.options = {{53, {3}}}}, "sends the DHCP option 53 with 2 bytes instead of 1");
    expect({.options = {{50, {10, 0, 1}}}}, "sends the DHCP option 50 with 3 bytes instead of 4");
    expect({.options = {{54, {}}}}, "sends the DHCP option 54 with 0 bytes instead of 4");
    expect({.options = {{57, {5}}}}, "sends the DHCP option 57 with 1 bytes instead of 2");
    expect({.options = {{52, {1, 2}}}}, "sends the DHCP option 52 with 2 bytes instead of 1");
    expect({.tail = {12}}, "sends a DHCP option that is cut off");
    expect({.tail = {12, 4, 'v', 'm', '1'}}, "sends a DHCP option that is cut off");
    expect({.options = {{52, {1}}}, .file = Octets(128, 200)}, "sends a DHCP option that is cut off");
}

TEST(Dhcp4, a_message_that_is_cut_off_gets_nothing) {
    const auto whole = select("10.0.1.10").frame();
    const auto found = datagram(whole);
    for (std::size_t size = 0; size < found->payload.size(); ++size) {
        auto cut = *found;
        cut.payload = cut.payload.first(size);
        const auto exchange = answer_dhcp4(udp_frame(cut), guest());
        // Cut between options it is a message with fewer of them: END may be missing.
        if (size < kOptions + 3) EXPECT_FALSE(exchange.answer) << size;
        if (size < kOptions) EXPECT_EQ(exchange.reason, "sends a DHCP message that is cut off") << size;
    }
}

TEST(Dhcp4, padding_and_what_is_behind_the_end_is_not_read) {
    Ask ask = select("10.0.1.10");
    ask.tail = {0, 0, 255, 54, 4, 9, 9, 9, 9, 12, 200};
    expect_bound(answer_dhcp4(ask.frame(), guest()), "select");
    ask.tail = {};
    expect_bound(answer_dhcp4(ask.frame(), guest()), "select");
    ask.tail = {0, 0, 0};
    expect_bound(answer_dhcp4(ask.frame(), guest()), "select");
}

TEST(Dhcp4, options_may_be_in_the_fields_of_file_and_server_name) {
    const Octets server{54, 4, 10, 0, 1, 1, 255}, address{50, 4, 10, 0, 1, 10, 255};
    const auto with = [&](std::uint8_t overload) {
        return answer_dhcp4(
            Ask{.type = kRequest, .options = {{52, {overload}}}, .file = server, .sname = address}.frame(), guest());
    };
    expect_bound(with(3), "select");
    expect_bound(with(2), "reboot");
    expect_nothing(with(1), "asks for no address");
    expect_nothing(with(0), "asks for no address");
    // RFC 3396: parts of one option in all three.
    const Ask parts{
        .type = kRequest, .options = {{52, {3}}, {50, {10}}}, .file = {50, 2, 0, 1}, .sname = {50, 1, 10, 255}};
    expect_bound(answer_dhcp4(parts.frame(), guest()), "reboot");
}

TEST(Dhcp4, the_clients_identifier_comes_back_and_a_relays_does_not) {
    const Octets id{255, 1, 2, 3, 4};
    for (auto ask : {Ask{}, select("10.0.1.10"), select("10.0.1.7")}) {
        ask.options.push_back({61, id});
        ask.options.push_back({82, {1, 1, 7}});
        const Told told(answer_dhcp4(ask.frame(), guest()));
        EXPECT_EQ(told.options.at(61), id);
        EXPECT_FALSE(told.options.contains(82));
    }
    EXPECT_FALSE(Told(answer_dhcp4(Ask{}.frame(), guest())).options.contains(61));
}

TEST(Dhcp4, an_identifier_in_parts_comes_back_in_parts) {
    Octets first(255), second(100, 7), whole;
    for (std::size_t i = 0; i < first.size(); ++i)
        first[i] = static_cast<std::uint8_t>(i);
    whole = first;
    whole.insert(whole.end(), second.begin(), second.end());
    const Ask ask{.options = {{61, first}, {57, {0x05, 0xdc}}, {61, second}}};
    EXPECT_EQ(Told(answer_dhcp4(ask.frame(), guest())).options.at(61), whole);
}

TEST(Dhcp4, routes_come_with_the_default_route) {
    auto with = guest();
    with.routes = {{*Prefix::parse("10.17.9.77/18"), ip("10.0.1.3")},
                   {*Prefix::parse("10.0.0.0/8"), ip("10.0.1.4")},
                   {*Prefix::parse("192.0.2.1/32"), ip("0.0.0.0")}};
    const Octets expected{18, 10, 17, 0, 10, 0, 1, 3, 8, 10, 10, 0, 1, 4, 32, 192, 0, 2, 1, 0, 0, 0, 0, 0, 10, 0, 1, 1};
    EXPECT_EQ(Told(answer_dhcp4(Ask{}.frame(), with)).options.at(121), expected);
    // Nobody asked, but without them the guest does not reach what it should.
    const Told unasked(answer_dhcp4(Ask{.options = {{55, {1, 3}}}}.frame(), with));
    EXPECT_EQ(unasked.options.at(121), expected);
    EXPECT_FALSE(unasked.options.contains(249));
    const Told microsoft(answer_dhcp4(Ask{.options = {{55, {249}}}}.frame(), with));
    EXPECT_EQ(microsoft.options.at(249), expected);
    with.router.reset();
    EXPECT_EQ(Told(answer_dhcp4(Ask{}.frame(), with)).options.at(121), Octets(expected.begin(), expected.end() - 5));
    with.routes.clear();
    EXPECT_FALSE(Told(answer_dhcp4(Ask{.options = {{55, {121}}}}.frame(), with)).options.contains(121));
}

TEST(Dhcp4, the_search_list_is_in_labels_and_only_for_who_asks) {
    const auto searched = [](std::string domain) {
        auto with = guest();
        with.domain = std::move(domain);
        const Told told(answer_dhcp4(Ask{.options = {{55, {119}}}}.frame(), with));
        return told.options.contains(119) ? told.text(119) : "none";
    };
    EXPECT_EQ(searched("blue.example"), std::string("\4blue\7example\0", 14));
    EXPECT_EQ(searched("lan"), std::string("\3lan\0", 5));
    EXPECT_EQ(searched(""), "none");
    EXPECT_EQ(searched("a..b"), "none");
    EXPECT_EQ(searched(std::string(63, 'a')), '\77' + std::string(63, 'a') + '\0');
    EXPECT_EQ(searched(std::string(64, 'a')), "none");
    EXPECT_FALSE(Told(answer_dhcp4(Ask{}.frame(), guest())).options.contains(119));
}

TEST(Dhcp4, a_lease_too_long_to_say_is_infinite) {
    const auto leased = [](std::int64_t seconds) {
        auto with = guest();
        with.lease = std::chrono::seconds(seconds);
        return Told(answer_dhcp4(Ask{}.frame(), with));
    };
    EXPECT_EQ(leased(0xfffffffe).number(51), 0xfffffffeU);
    EXPECT_EQ(leased(0xfffffffe).number(58), 0x7fffffffU);
    EXPECT_EQ(leased(0xfffffffe).number(59), 0xdffffffeU);
    for (const auto seconds : {0xffffffffLL, 0x100000000LL, 0x7fffffffffffffffLL}) {
        EXPECT_EQ(leased(seconds).number(51), 0xffffffffU);
        EXPECT_FALSE(leased(seconds).options.contains(58));
        EXPECT_FALSE(leased(seconds).options.contains(59));
    }
    EXPECT_EQ(leased(1).number(51), 1U);
}

/// The bytes of the IP packet.
std::size_t size(const Exchange& exchange) {
    return exchange.answer ? exchange.answer->size() - 14 : 0;
}

TEST(Dhcp4, what_matters_least_is_left_out_of_what_would_be_too_long) {
    auto with = guest();
    with.mtu = 1500;
    for (unsigned i = 0; i < 50; ++i)
        with.routes.push_back({Prefix{Ip::v4(0x0a100000U + (i << 8)), 24}, ip("10.0.1.3")});
    with.domain = std::string(60, 'a') + '.' + std::string(60, 'b');
    const auto ask = [&](std::uint16_t largest) {
        const Octets size{static_cast<std::uint8_t>(largest >> 8), static_cast<std::uint8_t>(largest & 0xff)};
        return answer_dhcp4(Ask{.options = {{57, size}, {55, {119, 121, 249, 15, 12, 28, 42}}}}.frame(), with);
    };
    // 405 bytes of routes, twice, in two parts each: what one needs, and one byte less.
    EXPECT_THAT(Told(ask(1500)).order, ElementsAre(53, 54, 51, 58, 59, 1, 3, 6, 26, 119, 121, 249, 15, 12, 28, 42));
    EXPECT_EQ(Told(ask(1500)).options.at(121).size(), 405U);
    for (const std::uint16_t largest : {576, 577, 700, 800, 900, 1000, 1200, 1400}) {
        const auto exchange = ask(largest);
        EXPECT_LE(size(exchange), largest);
        const Told told(exchange);
        for (const int always : {53, 54, 51, 1, 3, 6, 26})
            EXPECT_TRUE(told.options.contains(always)) << always << " in " << largest;
        EXPECT_EQ(told.options.contains(121), largest >= 800) << largest;
        EXPECT_EQ(told.options.contains(249), largest >= 1200) << largest;
    }
    // A client that has not said what it takes, or too little: RFC 2131, 2.
    EXPECT_EQ(ask(0).answer, ask(576).answer);
    EXPECT_LE(size(answer_dhcp4(Ask{.options = {{55, {121}}}}.frame(), with)), 576U);
    const auto needed = static_cast<std::uint16_t>(size(ask(1500)));
    EXPECT_EQ(size(ask(needed)), needed);
    EXPECT_FALSE(Told(ask(static_cast<std::uint16_t>(needed - 1))).options.contains(119));
}

TEST(Dhcp4, an_answer_is_never_larger_than_the_ports_mtu) {
    auto with = guest();
    for (unsigned i = 0; i < 200; ++i)
        with.dns.push_back(Ip::v4(0x0a000000U + i));
    for (const std::uint16_t mtu : {328, 330, 400, 576, 1280, 1500}) {
        with.mtu = mtu;
        const auto exchange = answer_dhcp4(Ask{.options = {{57, {0xff, 0xff}}, {61, Octets(200)}}}.frame(), with);
        EXPECT_LE(size(exchange), mtu);
        const Told told(exchange);
        EXPECT_EQ(told.number(51), 3600U) << mtu;
    }
    with.mtu = 327;
    expect_nothing(answer_dhcp4(Ask{}.frame(), with), "has an MTU of 327, too small for DHCP");
}

TEST(Dhcp4, the_guests_name_is_its_host_name_option) {
    const auto name = [](std::vector<std::pair<int, Octets>> options) {
        return answer_dhcp4(Ask{.options = std::move(options)}.frame(), guest()).host_name;
    };
    EXPECT_EQ(name({{12, octets("web-1")}}), "web-1");
    EXPECT_EQ(name({{12, {'w', 'e', 'b', 0}}}), "web");
    EXPECT_EQ(name({{12, octets(std::string(70, 'x'))}}), std::string(63, 'x'));
    EXPECT_EQ(name({{12, octets("we\x1b[31mb")}}), "");
    EXPECT_EQ(name({{12, octets("w\xc3\xa9")}}), "");
    EXPECT_EQ(name({}), "");
    EXPECT_EQ(name({{12, {}}}), "");
    // RFC 4702, 2: flags, two bytes of old, the name: as text, or as labels.
    EXPECT_EQ(name({{81, {0, 0, 0, 'd', 'b', '.', 'x'}}}), "db");
    EXPECT_EQ(name({{81, {4, 0, 0, 2, 'd', 'b', 1, 'x', 0}}}), "db");
    EXPECT_EQ(name({{81, {4, 0, 0, 63, 'd', 'b'}}}), "db");
    EXPECT_EQ(name({{81, {4, 0, 0, 63}}}), "");
    EXPECT_EQ(name({{81, {4, 0, 0}}}), "");
    EXPECT_EQ(name({{81, {0, 0, 0, 'd', 'b'}}, {12, octets("web")}}), "web");
    // Also of what gets no answer.
    EXPECT_EQ(answer_dhcp4(Ask{.options = {{12, octets("web")}}, .giaddr = "10.0.1.9"}.frame(), guest()).host_name,
              "web");
}

TEST(Dhcp4, libtins_reads_what_is_answered) {
    const auto exchange = answer_dhcp4(select("10.0.1.10").frame(), guest());
    ASSERT_TRUE(exchange.answer);
    const auto payload = datagram(*exchange.answer)->payload;
    const Tins::DHCP message(reinterpret_cast<const std::uint8_t*>(payload.data()),
                             static_cast<std::uint32_t>(payload.size()));
    EXPECT_EQ(message.xid(), 0xdecade01U);
    EXPECT_EQ(message.yiaddr().to_string(), "10.0.1.10");
    EXPECT_EQ(message.type(), Tins::DHCP::ACK);
    EXPECT_EQ(message.server_identifier().to_string(), "10.0.1.1");
    EXPECT_EQ(message.lease_time(), 3600U);
    EXPECT_EQ(message.subnet_mask().to_string(), "255.255.255.0");
    EXPECT_EQ(message.domain_name(), "blue.example");
}

RC_GTEST_PROP(Dhcp4, any_bytes_do_no_harm, (const std::vector<std::uint8_t>& noise)) {
    answer_dhcp4(std::as_bytes(std::span(noise)), guest());
    Ask ask;
    ask.tail = noise;
    answer_dhcp4(ask.frame(), guest());
    ask.type = 0;
    answer_dhcp4(ask.frame(), guest());
    ask.options = {{53, {3}}, {52, {3}}};
    ask.file = ask.sname = noise;
    answer_dhcp4(ask.frame(), guest());
}

RC_GTEST_PROP(Dhcp4, a_wrong_byte_does_no_harm_and_gives_nobody_elses_address, ()) {
    auto frame = select("10.0.1.10").frame();
    const auto at = *rc::gen::inRange<std::size_t>(0, frame.size());
    frame[at] = static_cast<std::byte>(*rc::gen::arbitrary<std::uint8_t>());
    const auto exchange = answer_dhcp4(frame, guest());
    RC_ASSERT(exchange.answer.has_value() == !exchange.answered.empty());
    if (exchange.address) RC_ASSERT(*exchange.address == ip("10.0.1.10"));
    if (exchange.answer) {
        const Told told(exchange);
        RC_ASSERT(told.yiaddr() == ip("10.0.1.10") || told.yiaddr() == ip("0.0.0.0"));
    }
}

} // namespace
} // namespace weft::controller
