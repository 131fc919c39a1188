#include "controller/dhcp6.hpp"

#include "controller/dns_labels.hpp"
#include "controller/udp.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <tins/dhcpv6.h>

namespace weft::controller {
namespace {

using Octets = std::vector<std::uint8_t>;
using Options = std::vector<Octets>;
using Lease = Exchange::Lease;
using Tins::DHCPv6;

Ip ip(std::string_view text) {
    return *Ip::parse(text);
}

const Mac kGuest = *Mac::parse("52:54:00:00:01:10"), kServer = *Mac::parse("0a:00:00:00:00:01");
const Ip kLinkLocal = ip("fe80::5054:ff:fe00:110");
const Octets kClientId{0, 3, 0, 1, 0x52, 0x54, 0, 0, 1, 0x10}, kServerId{0, 3, 0, 1, 0x0a, 0, 0, 0, 0, 1};

GuestConfig guest() {
    GuestConfig config;
    config.mac = kGuest;
    config.server_mac = kServer;
    config.ip6 = ip("fd00:1::10");
    config.subnet6 = Prefix::parse("fd00:1::/64");
    config.managed6 = true;
    config.dns = {ip("10.0.0.53"), ip("fd00::53"), ip("fd00::54")};
    config.ntp = {ip("fd00::123"), ip("10.0.0.123"), ip("fd00::124")};
    config.domain = "lab.example";
    config.lease = std::chrono::hours(1);
    return config;
}

void append(Octets& to, const Octets& more) {
    to.insert(to.end(), more.begin(), more.end());
}

void append16(Octets& to, std::size_t value) {
    append(to, {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
}

/// RFC 8415, 21.1.
Octets option(std::size_t code, const Octets& data) {
    Octets all;
    append16(all, code);
    append16(all, data.size());
    append(all, data);
    return all;
}

Octets operator+(Octets a, const Octets& b) {
    append(a, b);
    return a;
}

Octets bytes(const Ip& address) {
    return {address.bytes().begin(), address.bytes().end()};
}

Octets named(std::string_view address) {
    return option(5, bytes(ip(address)) + Octets{0, 0, 0, 9, 0, 0, 0, 9});
}

Octets ia_na(std::uint8_t id, const Octets& inner = {}) {
    return option(3, Octets{0, 0, 0, id, 0, 0, 0, 0, 0, 0, 0, 0} + inner);
}

const Octets kClient = option(1, kClientId), kOurs = option(2, kServerId);

/// An option request.
Octets wants(std::initializer_list<std::size_t> codes) {
    Octets data;
    for (const auto code : codes)
        append16(data, code);
    return option(6, data);
}

enum Type : std::uint8_t { solicit = 1, request = 3, confirm, renew, rebind, release = 8, decline, information = 11 };

Octets message(int type, const Octets& options) {
    return Octets{static_cast<std::uint8_t>(type), 0xab, 0xcd, 0xef} + options;
}

Frame frame_of(const Octets& payload, std::string_view to = "ff02::1:2", int from_port = 546, int to_port = 547,
               const Mac& mac = kGuest, const Ip& source = kLinkLocal) {
    return udp_frame({mac, *Mac::parse("33:33:00:01:00:02"), source, ip(to), static_cast<std::uint16_t>(from_port),
                      static_cast<std::uint16_t>(to_port), std::as_bytes(std::span(payload))});
}

Exchange ask(int type, const Octets& options, const GuestConfig& config = guest()) {
    return answer_dhcp6(frame_of(message(type, options)), config);
}

/// The answer's message, its frame looked at.
DHCPv6 read(const Exchange& exchange) {
    if (!exchange.answer) throw std::runtime_error("no answer: " + exchange.reason);
    const auto found = datagram(*exchange.answer);
    EXPECT_TRUE(found);
    EXPECT_EQ(found->source_mac, kServer);
    EXPECT_EQ(found->destination_mac, kGuest);
    EXPECT_EQ(found->source, ip("fe80::800:ff:fe00:1"));
    EXPECT_EQ(found->destination, kLinkLocal);
    EXPECT_EQ(found->source_port, 547);
    EXPECT_EQ(found->destination_port, 546);
    DHCPv6 read(reinterpret_cast<const std::uint8_t*>(found->payload.data()),
                static_cast<std::uint32_t>(found->payload.size()));
    EXPECT_EQ(exchange.answered, read.msg_type() == DHCPv6::ADVERTISE ? "advertise" : "reply");
    EXPECT_EQ(read.transaction_id(), 0xabcdefU);
    return read;
}

/// The data of every option of the code, in order.
std::vector<Octets> all(const DHCPv6& message, std::size_t code) {
    std::vector<Octets> found;
    for (const auto& option : message.options())
        if (option.option() == code) found.emplace_back(option.data_ptr(), option.data_ptr() + option.data_size());
    return found;
}

std::vector<Octets> all(const Exchange& exchange, std::size_t code) {
    return all(read(exchange), code);
}

/// An IA's inside: what is behind its fixed part.
DHCPv6 inside(const Octets& ia, std::size_t fixed) {
    const auto options = Octets{0, 0, 0, 0} + Octets(ia.begin() + static_cast<std::ptrdiff_t>(fixed), ia.end());
    return {options.data(), static_cast<std::uint32_t>(options.size())};
}

std::uint32_t u32(const Octets& data, std::size_t at) {
    return static_cast<std::uint32_t>(data.at(at) << 24 | data.at(at + 1) << 16 | data.at(at + 2) << 8 |
                                      data.at(at + 3));
}

/// "fd00::1 preferred/valid ..." or "status 2" of an IA.
std::string text(const Octets& ia, std::size_t fixed = 12) {
    std::string text;
    const auto inner = inside(ia, fixed);
    for (const auto& data : all(inner, 5)) {
        std::array<std::uint8_t, 16> address{};
        std::copy_n(data.begin(), 16, address.begin());
        text += Ip::v6(address).to_string() + " " + std::to_string(u32(data, 16)) + "/" +
                std::to_string(u32(data, 20)) + " ";
    }
    for (const auto& data : all(inner, 13))
        text += "status " + std::to_string(data.at(1)) + " ";
    if (!text.empty()) text.pop_back();
    return text;
}

std::string first_ia(const Exchange& exchange) {
    const auto found = all(exchange, 3);
    return found.empty() ? "no IA_NA" : text(found[0]);
}

/// The code of the answer's own status.
int status(const Exchange& exchange) {
    const auto found = all(exchange, 13);
    return found.empty() ? -1 : found[0].at(0) * 256 + found[0].at(1);
}

TEST(Dhcp6, a_solicit_is_advertised_the_ports_address) {
    const auto got = ask(solicit, kClient + ia_na(7));
    EXPECT_EQ(got.asked, "solicit");
    EXPECT_EQ(got.answered, "advertise");
    EXPECT_EQ(got.lease, Lease::none);
    EXPECT_EQ(got.reason, "");
    const auto message = read(got);
    EXPECT_EQ(all(message, 1), Options{kClientId});
    EXPECT_EQ(all(message, 2), Options{kServerId});
    EXPECT_EQ(all(message, 7), Options{Octets{255}});
    EXPECT_EQ(all(message, 14).size(), 0U);
    const auto ia = all(message, 3);
    ASSERT_EQ(ia.size(), 1U);
    EXPECT_EQ(u32(ia[0], 0), 7U);
    EXPECT_EQ(u32(ia[0], 4), 1800U);
    EXPECT_EQ(u32(ia[0], 8), 2880U);
    EXPECT_EQ(text(ia[0]), "fd00:1::10 3600/3600");
}

TEST(Dhcp6, a_solicit_byte_for_byte) {
    auto config = guest();
    config.dns.clear();
    config.domain.clear();
    const auto got = ask(solicit, kClient + ia_na(7), config);
    ASSERT_TRUE(got.answer);
    const auto payload = datagram(*got.answer)->payload;
    const Octets expected =
        Octets{2, 0xab, 0xcd, 0xef} + option(1, kClientId) + option(2, kServerId) + option(7, {255}) +
        option(3, Octets{0, 0, 0, 7, 0, 0, 0x07, 0x08, 0, 0, 0x0b, 0x40} +
                      option(5, bytes(ip("fd00:1::10")) + Octets{0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10}));
    EXPECT_TRUE(std::ranges::equal(payload, std::as_bytes(std::span(expected))));
}

TEST(Dhcp6, rapid_commit_is_bound_at_once) {
    const auto got = ask(solicit, kClient + ia_na(7) + option(14, {}));
    EXPECT_EQ(got.answered, "reply");
    EXPECT_EQ(got.lease, Lease::bound);
    EXPECT_EQ(got.address, ip("fd00:1::10"));
    EXPECT_EQ(all(got, 14).size(), 1U);
    EXPECT_EQ(all(got, 7).size(), 0U);
    EXPECT_EQ(first_ia(got), "fd00:1::10 3600/3600");
    // With nothing to commit it is a Solicit like any other.
    auto without = guest();
    without.ip6.reset();
    const auto none = ask(solicit, kClient + ia_na(7) + option(14, {}), without);
    EXPECT_EQ(none.answered, "advertise");
    EXPECT_EQ(none.lease, Lease::none);
    EXPECT_EQ(all(none, 14).size(), 0U);
}

TEST(Dhcp6, request_renew_and_rebind_bind) {
    for (const auto& [type, name] : {std::pair{request, "request"}, {renew, "renew"}, {rebind, "rebind"}}) {
        const auto got = ask(type, kClient + (type == rebind ? Octets{} : kOurs) + ia_na(7, named("fd00:1::10")));
        EXPECT_EQ(got.asked, name);
        EXPECT_EQ(got.answered, "reply");
        EXPECT_EQ(got.lease, Lease::bound);
        EXPECT_EQ(got.address, ip("fd00:1::10"));
        EXPECT_EQ(first_ia(got), "fd00:1::10 3600/3600");
        EXPECT_EQ(all(got, 7).size(), 0U) << "preference is an Advertise's";
    }
}

TEST(Dhcp6, other_addresses_are_withdrawn_beside_the_right_one) {
    const auto ia = ia_na(7, named("fd00:1::99") + named("fd00:1::10") + named("2001:db8::1"));
    for (const auto type : {request, renew, rebind}) {
        const auto got = ask(type, kClient + (type == rebind ? Octets{} : kOurs) + ia);
        EXPECT_EQ(first_ia(got), "fd00:1::10 3600/3600 fd00:1::99 0/0 2001:db8::1 0/0");
        EXPECT_EQ(got.lease, Lease::bound);
    }
    // In a Solicit they are wishes.
    EXPECT_EQ(first_ia(ask(solicit, kClient + ia)), "fd00:1::10 3600/3600");
    EXPECT_EQ(first_ia(ask(solicit, kClient + ia + option(14, {}))), "fd00:1::10 3600/3600");
}

TEST(Dhcp6, no_more_than_eight_are_withdrawn) {
    Octets many;
    for (int i = 0; i < 30; ++i)
        many = many + named("2001:db8::" + std::to_string(i));
    const auto got = all(ask(rebind, kClient + ia_na(7, many)), 3);
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(all(inside(got[0], 12), 5).size(), 9U);
}

TEST(Dhcp6, without_an_address_to_give_it_says_so) {
    auto config = guest();
    config.ip6.reset();
    const auto advertised = ask(solicit, kClient + ia_na(7), config);
    EXPECT_EQ(advertised.answered, "advertise");
    EXPECT_EQ(first_ia(advertised), "status 2");
    EXPECT_EQ(u32(all(advertised, 3)[0], 4), 0U);
    EXPECT_NE(advertised.reason, "");
    EXPECT_EQ(all(advertised, 23).size(), 1U);
    const auto requested = ask(request, kClient + kOurs + ia_na(7, named("fd00:1::10")), config);
    EXPECT_EQ(first_ia(requested), "status 2");
    EXPECT_EQ(requested.lease, Lease::none);
    EXPECT_EQ(requested.address, std::nullopt);
    // What it still has is taken from it.
    EXPECT_EQ(first_ia(ask(renew, kClient + kOurs + ia_na(7, named("fd00:1::10")), config)), "fd00:1::10 0/0");
    EXPECT_EQ(first_ia(ask(rebind, kClient + ia_na(7, named("fd00:1::10")), config)), "fd00:1::10 0/0");
    EXPECT_EQ(first_ia(ask(rebind, kClient + ia_na(7), config)), "status 2");
}

TEST(Dhcp6, one_association_gets_the_address) {
    const auto two = all(ask(solicit, kClient + ia_na(1) + ia_na(2)), 3);
    ASSERT_EQ(two.size(), 2U);
    EXPECT_EQ(two[0][3], 1);
    EXPECT_EQ(text(two[0]), "fd00:1::10 3600/3600");
    EXPECT_EQ(two[1][3], 2);
    EXPECT_EQ(text(two[1]), "status 2");
    // The one that has it keeps it, wherever it stands.
    const auto kept = all(ask(rebind, kClient + ia_na(1, named("fd00:1::9")) + ia_na(2, named("fd00:1::10"))), 3);
    ASSERT_EQ(kept.size(), 2U);
    EXPECT_EQ(kept[0][3], 2);
    EXPECT_EQ(text(kept[0]), "fd00:1::10 3600/3600");
    EXPECT_EQ(kept[1][3], 1);
    EXPECT_EQ(text(kept[1]), "fd00:1::9 0/0");
    // That another names it, too, does not take it away.
    const auto both = all(ask(rebind, kClient + ia_na(1, named("fd00:1::10")) + ia_na(2, named("fd00:1::10"))), 3);
    ASSERT_EQ(both.size(), 2U);
    EXPECT_EQ(text(both[0]), "fd00:1::10 3600/3600");
    EXPECT_EQ(text(both[1]), "status 2");
}

TEST(Dhcp6, temporary_addresses_and_prefixes_are_not_given) {
    const auto got =
        ask(solicit, kClient + option(4, {0, 0, 0, 5}) + option(25, Octets{0, 0, 0, 6} + Octets(8)) + ia_na(7));
    const auto temporary = all(got, 4), prefixes = all(got, 25);
    ASSERT_EQ(temporary.size(), 1U);
    EXPECT_EQ(temporary[0][3], 5);
    EXPECT_EQ(text(temporary[0], 4), "status 2");
    ASSERT_EQ(prefixes.size(), 1U);
    EXPECT_EQ(prefixes[0][3], 6);
    EXPECT_EQ(text(prefixes[0]), "status 6");
    EXPECT_EQ(first_ia(got), "fd00:1::10 3600/3600");
    // Alone they are a question without an address.
    EXPECT_EQ(ask(request, kClient + kOurs + option(4, {0, 0, 0, 5})).lease, Lease::none);
}

TEST(Dhcp6, confirm_knows_the_ports_address_only) {
    const auto right = ask(confirm, kClient + ia_na(7, named("fd00:1::10")));
    EXPECT_EQ(right.asked, "confirm");
    EXPECT_EQ(right.answered, "reply");
    EXPECT_EQ(right.lease, Lease::none);
    EXPECT_EQ(status(right), 0);
    EXPECT_EQ(all(right, 3).size(), 0U);
    EXPECT_EQ(all(right, 1), Options{kClientId});
    for (const auto* other : {"2001:db8::1", "fd00:1::11"}) {
        const auto wrong = ask(confirm, kClient + ia_na(7, named("fd00:1::10") + named(other)));
        EXPECT_EQ(status(wrong), 4) << other;
        EXPECT_EQ(wrong.lease, Lease::refused);
        EXPECT_EQ(wrong.address, ip(other));
        EXPECT_NE(wrong.reason, "");
    }
    const auto none = ask(confirm, kClient + ia_na(7));
    EXPECT_FALSE(none.answer);
    EXPECT_EQ(none.asked, "confirm");
    EXPECT_NE(none.reason, "");
}

TEST(Dhcp6, release_and_decline_are_taken_note_of) {
    for (const auto& [type, name, lease] :
         {std::tuple{release, "release", Lease::released}, {decline, "decline", Lease::declined}}) {
        const auto got = ask(type, kClient + kOurs + ia_na(7, named("fd00:1::10")));
        EXPECT_EQ(got.asked, name);
        EXPECT_EQ(got.answered, "reply");
        EXPECT_EQ(got.lease, lease);
        EXPECT_EQ(got.address, ip("fd00:1::10"));
        EXPECT_EQ(status(got), 0);
        EXPECT_EQ(first_ia(got), "no IA_NA");
        const auto other = ask(type, kClient + kOurs + ia_na(7, named("fd00:1::99")));
        EXPECT_EQ(other.lease, Lease::none);
        EXPECT_EQ(other.address, std::nullopt);
        EXPECT_EQ(status(other), 0);
        EXPECT_EQ(first_ia(other), "status 3");
    }
}

TEST(Dhcp6, information_needs_no_client_identifier) {
    const auto got = ask(information, wants({23}));
    EXPECT_EQ(got.asked, "information_request");
    EXPECT_EQ(got.answered, "reply");
    EXPECT_EQ(got.lease, Lease::none);
    EXPECT_EQ(all(got, 32), Options{(Octets{0, 0, 0x0e, 0x10})});
    EXPECT_EQ(all(got, 1).size(), 0U);
    EXPECT_EQ(all(got, 2), Options{kServerId});
    EXPECT_EQ(all(got, 23).size(), 1U);
    EXPECT_EQ(all(ask(information, kClient), 1), Options{kClientId});
    EXPECT_EQ(all(ask(solicit, kClient + ia_na(1)), 32).size(), 0U);
    EXPECT_TRUE(ask(information, kOurs).answer);
    EXPECT_FALSE(ask(information, ia_na(1)).answer);
    EXPECT_FALSE(ask(information, option(2, {0, 3, 0, 1, 9, 9, 9, 9, 9, 9})).answer);
}

TEST(Dhcp6, dns_is_always_told_time_when_asked) {
    const auto dns = bytes(ip("fd00::53")) + bytes(ip("fd00::54"));
    const Octets domain{3, 'l', 'a', 'b', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0};
    const auto plain = ask(solicit, kClient + ia_na(7));
    EXPECT_EQ(all(plain, 23), Options{dns});
    EXPECT_EQ(all(plain, 24), Options{domain});
    EXPECT_EQ(all(plain, 56).size() + all(plain, 31).size(), 0U);
    const auto asked = ask(request, kClient + kOurs + ia_na(7) + wants({56, 31, 23}));
    EXPECT_EQ(all(asked, 23), Options{dns});
    // RFC 5908, 4: one server an option.
    EXPECT_EQ(all(asked, 56), (Options{option(1, bytes(ip("fd00::123"))), option(1, bytes(ip("fd00::124")))}));
    EXPECT_EQ(all(asked, 31), Options{bytes(ip("fd00::123")) + bytes(ip("fd00::124"))});
    auto bare = guest();
    bare.dns = bare.ntp = {ip("10.0.0.53")};
    bare.domain.clear();
    const auto nothing = read(ask(information, wants({56, 31, 23, 24}), bare));
    EXPECT_EQ(nothing.options().size(), 2U) << "server identifier and refresh time";
    for (const auto code : {23, 24, 31, 56})
        EXPECT_EQ(all(nothing, code).size(), 0U);
}

TEST(Dhcp6, dns_labels_are_those_of_rfc_1035) {
    EXPECT_EQ(dns_labels("a.bc"), (Octets{1, 'a', 2, 'b', 'c', 0}));
    EXPECT_EQ(dns_labels("a"), (Octets{1, 'a', 0}));
    EXPECT_EQ(dns_labels(std::string(63, 'x')).size(), 65U);
    EXPECT_EQ(dns_labels(std::string(64, 'x')), Octets{});
    for (const auto* bad : {"", ".", "a.", ".a", "a..b"})
        EXPECT_EQ(dns_labels(bad), Octets{}) << bad;
    const auto label = std::string(63, 'x') + ".";
    EXPECT_EQ(dns_labels(label + label + label + std::string(61, 'x')).size(), 255U);
    EXPECT_EQ(dns_labels(label + label + label + std::string(62, 'x')), Octets{});
}

TEST(Dhcp6, the_guests_own_name_is_read) {
    const auto name = [](const Octets& data) { return ask(information, option(39, data)).host_name; };
    EXPECT_EQ(name({0, 3, 'v', 'm', '1'}), "vm1");
    EXPECT_EQ(name({1, 3, 'v', 'm', '1', 3, 'l', 'a', 'b', 0}), "vm1");
    EXPECT_EQ(name(Octets{0, 63} + Octets(63, 'x')), std::string(63, 'x'));
    for (const auto& bad : {Octets{},
                            {0},
                            {0, 0},
                            {0, 4, 'v', 'm', '1'},
                            {0, 2, 'v', '\n'},
                            {0, 2, 'v', 0x7f},
                            {0, 2, 'v', 0},
                            Octets{0, 64} + Octets(64, 'x'),
                            {0, 2, 'v', 0xc3},
                            {0, 0xc0, 0}}) {
        EXPECT_EQ(name(bad), "");
        EXPECT_TRUE(ask(information, option(39, bad)).answer);
    }
}

TEST(Dhcp6, the_name_option_says_that_nobody_updates_dns) {
    const auto fqdn = option(39, {1, 3, 'v', 'm', '1'});
    EXPECT_EQ(all(ask(information, fqdn), 39).size(), 0U) << "RFC 4704, 6: only when asked";
    EXPECT_EQ(all(ask(information, wants({39})), 39).size(), 0U);
    EXPECT_EQ(all(ask(information, fqdn + wants({39})), 39), Options{(Octets{6, 3, 'v', 'm', '1'})});
    EXPECT_EQ(all(ask(information, option(39, {0, 1, 'v'}) + wants({39})), 39), Options{(Octets{4, 1, 'v'})});
    auto config = guest();
    config.host_name = "web";
    const auto labels = Octets{6} + dns_labels("web.lab.example");
    EXPECT_EQ(all(ask(information, fqdn + wants({39}), config), 39), Options{labels});
    config.domain.clear();
    EXPECT_EQ(all(ask(information, fqdn + wants({39}), config), 39), Options{(Octets{6, 3, 'w', 'e', 'b'})});
}

TEST(Dhcp6, identifiers_are_checked_as_rfc_8415_16_says) {
    const auto theirs = option(2, {0, 3, 0, 1, 0x0a, 0, 0, 0, 0, 2});
    const auto ia = ia_na(7, named("fd00:1::10"));
    for (const int type : {solicit, confirm, rebind}) {
        EXPECT_TRUE(ask(type, kClient + ia).answer) << type;
        EXPECT_FALSE(ask(type, kClient + ia + kOurs).answer) << type;
        EXPECT_FALSE(ask(type, ia).answer) << type;
    }
    for (const int type : {request, renew, release, decline}) {
        EXPECT_TRUE(ask(type, kClient + ia + kOurs).answer) << type;
        EXPECT_FALSE(ask(type, kClient + ia).answer) << type;
        EXPECT_FALSE(ask(type, kClient + ia + theirs).answer) << type;
        EXPECT_FALSE(ask(type, kOurs + ia).answer) << type;
        const auto got = ask(type, kClient + ia + theirs);
        EXPECT_EQ(got.lease, Lease::none);
        EXPECT_NE(got.asked, "");
        EXPECT_NE(got.reason, "");
    }
    EXPECT_FALSE(ask(solicit, option(1, {}) + ia).answer);
    EXPECT_FALSE(ask(solicit, option(1, Octets(131)) + ia).answer);
    EXPECT_EQ(all(ask(solicit, option(1, Octets(130, 9)) + ia), 1), Options{Octets(130, 9)});
}

TEST(Dhcp6, the_server_is_the_same_after_a_restart_and_another_elsewhere) {
    auto elsewhere = guest();
    elsewhere.server_mac = *Mac::parse("0a:00:00:00:00:02");
    EXPECT_TRUE(ask(request, kClient + kOurs + ia_na(7)).answer);
    EXPECT_FALSE(ask(request, kClient + kOurs + ia_na(7), elsewhere).answer);
}

TEST(Dhcp6, only_the_guest_itself_is_answered) {
    const auto payload = message(solicit, kClient + ia_na(7));
    ASSERT_TRUE(answer_dhcp6(frame_of(payload), guest()).answer);
    const auto refused = [&](const Frame& frame) {
        const auto got = answer_dhcp6(frame, guest());
        EXPECT_EQ(got.asked, "solicit");
        EXPECT_EQ(got.answered, "");
        EXPECT_NE(got.reason, "");
        return !got.answer;
    };
    EXPECT_TRUE(refused(frame_of(payload, "ff02::1:2", 546, 547, kServer))) << "another MAC";
    EXPECT_TRUE(refused(frame_of(payload, "ff02::1:2", 547))) << "a server's port";
    EXPECT_TRUE(refused(frame_of(payload, "ff02::1:2", 546, 547, kGuest, ip("fd00:1::10")))) << "no link-local address";
    EXPECT_TRUE(refused(frame_of(payload, "ff02::1:3"))) << "another group";
    EXPECT_TRUE(refused(frame_of(payload, "fe80::1"))) << "another host";
}

TEST(Dhcp6, without_a_subnet_nothing_is_served) {
    auto config = guest();
    config.subnet6.reset();
    const auto got = ask(solicit, kClient + ia_na(7), config);
    EXPECT_EQ(got.asked, "solicit");
    EXPECT_EQ(got.answered, "");
    EXPECT_FALSE(got.answer);
    EXPECT_NE(got.reason, "");
}

TEST(Dhcp6, whoever_sends_to_the_servers_own_address_is_told_to_multicast) {
    const auto ia = ia_na(7, named("fd00:1::10"));
    const auto* own = "fe80::800:ff:fe00:1";
    for (const int type : {request, renew, release, decline}) {
        const auto got = answer_dhcp6(frame_of(message(type, kClient + kOurs + ia), own), guest());
        EXPECT_EQ(status(got), 5) << type;
        EXPECT_EQ(got.lease, Lease::none) << type;
        EXPECT_EQ(read(got).options().size(), 3U) << type;
    }
    for (const int type : {solicit, confirm, rebind, information}) {
        const auto options = type == information ? kClient : kClient + ia;
        const auto got = answer_dhcp6(frame_of(message(type, options), own), guest());
        EXPECT_FALSE(got.answer) << type;
        EXPECT_NE(got.reason, "") << type;
    }
}

TEST(Dhcp6, what_servers_and_relays_say_is_not_answered) {
    for (const int type : {0, 2, 7, 10, 12, 13, 14, 255}) {
        const auto got = answer_dhcp6(frame_of(message(type, kClient + ia_na(7) + Octets(64))), guest());
        EXPECT_EQ(got.asked, "") << type;
        EXPECT_FALSE(got.answer) << type;
        EXPECT_NE(got.reason, "") << type;
    }
    const auto payload = message(solicit, kClient + ia_na(7));
    for (const auto& frame : {frame_of(payload, "ff02::1:2", 546, 546), frame_of({}), Frame{}}) {
        const auto got = answer_dhcp6(frame, guest());
        EXPECT_EQ(got.asked, "");
        EXPECT_EQ(got.reason, "");
        EXPECT_FALSE(got.answer);
    }
}

TEST(Dhcp6, what_is_malformed_is_not_answered) {
    const auto ia = ia_na(7, named("fd00:1::10"));
    for (const auto& options :
         {kClient + Octets{0}, kClient + Octets{0, 3, 0, 200}, kClient + option(3, Octets(11)),
          kClient + option(4, Octets(3)), kClient + option(25, Octets(3)), kClient + ia_na(7, option(5, Octets(23))),
          kClient + ia_na(7, {0, 5, 0}), kClient + ia + option(6, {0, 23, 0})}) {
        const auto got = ask(solicit, options);
        EXPECT_EQ(got.asked, "solicit");
        EXPECT_FALSE(got.answer);
        EXPECT_NE(got.reason, "");
        EXPECT_EQ(got.lease, Lease::none);
    }
    const auto whole = message(solicit, kClient + ia);
    for (std::size_t size = 1; size < 4; ++size)
        EXPECT_FALSE(
            answer_dhcp6(frame_of(Octets(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), guest())
                .answer);
}

TEST(Dhcp6, options_of_others_are_passed_over) {
    const auto got = ask(solicit, kClient + ia_na(7) + option(16, {1, 2}) + option(17, {}) + option(0xffff, {1}) +
                                      option(8, {0, 0}) + option(20, {}));
    EXPECT_EQ(first_ia(got), "fd00:1::10 3600/3600");
    EXPECT_EQ(all(got, 16).size() + all(got, 17).size() + all(got, 0xffff).size() + all(got, 20).size(), 0U);
}

TEST(Dhcp6, a_lease_without_an_end_has_no_timers) {
    auto config = guest();
    config.lease = std::chrono::seconds::max();
    const auto ia = all(ask(solicit, kClient + ia_na(7), config), 3);
    ASSERT_EQ(ia.size(), 1U);
    EXPECT_EQ(u32(ia[0], 4), 0xffffffffU);
    EXPECT_EQ(u32(ia[0], 8), 0xffffffffU);
    EXPECT_EQ(text(ia[0]), "fd00:1::10 4294967295/4294967295");
    config.lease = std::chrono::seconds(0xfffffffe);
    EXPECT_EQ(u32(all(ask(solicit, kClient + ia_na(7), config), 3)[0], 8), 3435973835U);
}

TEST(Dhcp6, an_answer_fits_the_mtu_and_gives_the_address_before_all_else) {
    auto config = guest();
    config.mtu = 1280;
    config.dns.assign(70, ip("fd00::53"));
    config.ntp.assign(70, ip("fd00::123"));
    Octets many;
    for (int i = 0; i < 60; ++i)
        many = many + ia_na(static_cast<std::uint8_t>(i));
    const auto got =
        ask(rebind, option(1, Octets(130, 9)) + many + ia_na(77, named("fd00:1::10")) + wants({56, 31}), config);
    ASSERT_TRUE(got.answer);
    EXPECT_LE(got.answer->size(), 14U + 1280);
    EXPECT_GT(got.answer->size(), 14U + 1200);
    EXPECT_EQ(first_ia(got), "fd00:1::10 3600/3600");
    // An option that does not fit leaves its room to those behind it.
    const auto informed = ask(information, wants({56}), config);
    ASSERT_TRUE(informed.answer);
    EXPECT_LE(informed.answer->size(), 14U + 1280);
    EXPECT_EQ(all(informed, 24).size(), 1U);

    config.mtu = 100;
    const auto nothing = ask(rebind, kClient + ia_na(1), config);
    EXPECT_FALSE(nothing.answer);
    EXPECT_EQ(nothing.answered, "");
    EXPECT_EQ(nothing.lease, Lease::none);
    EXPECT_NE(nothing.reason, "");
}

void expect_sound(const Exchange& got, const GuestConfig& config) {
    RC_ASSERT(got.answer.has_value() == !got.answered.empty());
    if (!got.answer) {
        RC_ASSERT(got.lease == Lease::none || got.lease == Lease::refused);
        return;
    }
    RC_ASSERT(!got.asked.empty());
    RC_ASSERT(got.answer->size() <= 14U + config.mtu);
    RC_ASSERT(datagram(*got.answer).has_value());
    RC_ASSERT(got.host_name.size() <= 63U);
    if (got.lease == Lease::bound) RC_ASSERT(got.address == config.ip6);
}

RC_GTEST_PROP(Dhcp6, any_bytes_are_answered_without_harm, (Octets noise)) {
    const auto config = guest();
    expect_sound(answer_dhcp6(std::as_bytes(std::span(noise)), config), config);
    expect_sound(answer_dhcp6(frame_of(noise), config), config);
    const auto type = *rc::gen::elementOf(std::vector<int>{1, 3, 4, 5, 6, 8, 9, 11});
    expect_sound(ask(type, kClient + noise), config);
    expect_sound(ask(type, kClient + kOurs + option(3, noise)), config);
    expect_sound(ask(type, kClient + ia_na(1, option(5, noise)) + option(39, noise) + option(6, noise)), config);
}

RC_GTEST_PROP(Dhcp6, a_message_cut_or_changed_does_no_harm, ()) {
    const auto config = guest();
    const auto type = *rc::gen::elementOf(std::vector<int>{1, 3, 4, 5, 6, 8, 9, 11});
    auto frame = frame_of(message(type, kClient + kOurs + ia_na(7, named("fd00:1::10") + named("fd00::9")) +
                                            option(39, {1, 3, 'v', 'm', '1'}) + wants({23, 39, 56})));
    const auto at = *rc::gen::inRange<std::size_t>(0, frame.size());
    auto changed = frame;
    changed[at] = static_cast<std::byte>(*rc::gen::arbitrary<std::uint8_t>());
    expect_sound(answer_dhcp6(changed, config), config);
    frame.resize(at); // of its own size, so that a read behind its end is seen
    expect_sound(answer_dhcp6(Frame(frame), config), config);
}

} // namespace
} // namespace weft::controller
