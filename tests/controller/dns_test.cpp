#include "controller/dns.hpp"

#include "tests/controller/dns_messages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <rapidcheck/gtest.h>
#include <set>

namespace weft::controller {
namespace {

using namespace messages;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::size_t kLargest = 1232;

/// blue.internal is private, corp.example is known to the world as well.
class Names final : public DnsNames {
  public:
    std::map<std::string, Host, std::less<>> hosts{
        {"vm1.blue.internal", {"blue.internal", {*Ip::parse("10.0.0.5"), *Ip::parse("fd00::5")}}},
        {"vm4.blue.internal", {"blue.internal", {*Ip::parse("10.0.0.6")}}},
        {"port.with.dots.blue.internal", {"blue.internal", {*Ip::parse("10.0.0.7")}}},
        {"www.corp.example", {"corp.example", {*Ip::parse("10.1.0.5")}}},
    };
    std::map<Ip, std::string> owners{{*Ip::parse("10.0.0.5"), "vm1.blue.internal"},
                                     {*Ip::parse("fd00::5"), "vm1.blue.internal"},
                                     {*Ip::parse("10.1.0.5"), "www.corp.example"}};
    std::set<std::string> zones{"blue.internal", "corp.example", "0.0.10.in-addr.arpa", "0.1.10.in-addr.arpa"};
    std::set<std::string, std::less<>> shared{"corp.example", "0.1.10.in-addr.arpa"};

    std::optional<Host> find(std::string_view name) const override {
        const auto found = hosts.find(name);
        return found == hosts.end() ? std::nullopt : std::optional(found->second);
    }
    std::optional<std::string> name_of(const Ip& ip) const override {
        const auto found = owners.find(ip);
        return found == owners.end() ? std::nullopt : std::optional(found->second);
    }
    std::string zone_of(std::string_view name) const override {
        for (const auto& zone : zones)
            if (name == zone || name.ends_with("." + zone)) return zone;
        return {};
    }
    bool is_private(std::string_view zone) const override { return !shared.contains(zone); }
    bool is_above(std::string_view name) const override {
        return std::ranges::any_of(hosts,
                                   [&](const auto& host) { return host.first.ends_with("." + std::string(name)); });
    }
};

const Names kNames;

DnsOutcome outcome(const DnsMessage& query, bool has_resolvers = true, std::size_t largest = kLargest) {
    return answer_dns(query, kNames, has_resolvers, largest);
}

/// The reply, read; or what else becomes of the query.
std::string reply(const DnsMessage& query, bool has_resolvers = true, std::size_t largest = kLargest) {
    const auto result = outcome(query, has_resolvers, largest);
    const auto* message = std::get_if<DnsMessage>(&result.what);
    if (!message) return std::string(result.counted);
    EXPECT_EQ(id_of(*message), 0xabcdU);
    return text(*message);
}

std::string counted(const DnsMessage& query, bool has_resolvers = true) {
    return std::string(outcome(query, has_resolvers).counted);
}

DnsForward forwarded(const DnsMessage& query, std::size_t largest = kLargest) {
    const auto result = outcome(query, true, largest);
    EXPECT_TRUE(std::holds_alternative<DnsForward>(result.what));
    return std::get<DnsForward>(result.what);
}

constexpr auto kSoa = "blue.internal. 10 IN SOA blue.internal. nobody.invalid. 1 3600 600 86400 10";

TEST(DnsAnswer, is_the_addresses_of_the_type_asked_for) {
    EXPECT_EQ(reply(Query{"vm1.blue.internal"}),
              "NOERROR qr aa rd ra | vm1.blue.internal. IN A | vm1.blue.internal. 30 IN A 10.0.0.5 | |");
    EXPECT_EQ(reply(Query{"vm1.blue.internal", LDNS_RR_TYPE_AAAA}),
              "NOERROR qr aa rd ra | vm1.blue.internal. IN AAAA | vm1.blue.internal. 30 IN AAAA fd00::5 | |");
    EXPECT_EQ(reply(Query{"vm1.blue.internal", LDNS_RR_TYPE_ANY}),
              "NOERROR qr aa rd ra | vm1.blue.internal. IN ANY | vm1.blue.internal. 30 IN A 10.0.0.5 "
              "vm1.blue.internal. 30 IN AAAA fd00::5 | |");
    EXPECT_EQ(counted(Query{"vm1.blue.internal"}), "answered");
}

TEST(DnsAnswer, comes_for_a_zone_that_the_world_knows_too) {
    EXPECT_THAT(reply(Query{"www.corp.example"}), HasSubstr("| www.corp.example. 30 IN A 10.1.0.5 |"));
    EXPECT_THAT(reply(Query{"www.corp.example", LDNS_RR_TYPE_MX}), HasSubstr("corp.example. 10 IN SOA"));
}

TEST(DnsAnswer, is_spelt_as_the_question_was) {
    EXPECT_EQ(reply(Query{"vM1.BLUE.inTernal"}),
              "NOERROR qr aa rd ra | vM1.BLUE.inTernal. IN A | vM1.BLUE.inTernal. 30 IN A 10.0.0.5 | |");
}

TEST(DnsAnswer, copies_rd_and_says_whether_there_is_recursion) {
    EXPECT_THAT(reply(Query{.name = "vm1.blue.internal", .flags = 0}), StartsWith("NOERROR qr aa ra |"));
    EXPECT_THAT(reply(Query{"vm1.blue.internal"}, false), StartsWith("NOERROR qr aa rd |"));
    EXPECT_THAT(reply(Query{.name = "vm1.blue.internal", .flags = 0x0110}), StartsWith("NOERROR qr aa rd ra cd |"));
}

TEST(DnsAnswer, to_the_class_any_is_of_the_internet) {
    EXPECT_THAT(reply(Query{.name = "vm1.blue.internal", .klass = LDNS_RR_CLASS_ANY}),
                HasSubstr("| vm1.blue.internal. 30 IN A 10.0.0.5 |"));
}

TEST(DnsAnswer, is_nodata_with_the_soa_for_types_that_a_name_has_not) {
    for (const unsigned type :
         {LDNS_RR_TYPE_MX, LDNS_RR_TYPE_TXT, LDNS_RR_TYPE_SOA, LDNS_RR_TYPE_PTR, LDNS_RR_TYPE_HTTPS})
        EXPECT_THAT(reply(Query{"vm1.blue.internal", type}), EndsWith(std::string("| | ") + kSoa + " |")) << type;
    EXPECT_EQ(reply(Query{"vm4.blue.internal", LDNS_RR_TYPE_AAAA}),
              std::string("NOERROR qr aa rd ra | vm4.blue.internal. IN AAAA | | ") + kSoa + " |");
    EXPECT_EQ(counted(Query{"vm4.blue.internal", LDNS_RR_TYPE_AAAA}), "nodata");
}

TEST(DnsAnswer, is_nxdomain_with_the_soa_for_unknown_names_in_private_zones) {
    EXPECT_EQ(reply(Query{"vm9.blue.internal"}),
              std::string("NXDOMAIN qr aa rd ra | vm9.blue.internal. IN A | | ") + kSoa + " |");
    EXPECT_EQ(counted(Query{"vm9.blue.internal"}), "nxdomain");
    EXPECT_THAT(reply(Query{"a.vm1.blue.internal"}), StartsWith("NXDOMAIN"));
}

TEST(DnsAnswer, is_nodata_for_a_name_that_only_has_names_below_it) {
    EXPECT_EQ(reply(Query{"dots.blue.internal"}),
              std::string("NOERROR qr aa rd ra | dots.blue.internal. IN A | | ") + kSoa + " |");
    EXPECT_EQ(counted(Query{"dots.blue.internal"}), "nodata");
    EXPECT_THAT(reply(Query{"ots.blue.internal"}), StartsWith("NXDOMAIN"));
}

TEST(DnsAnswer, does_not_take_a_dot_in_a_label_for_one_between_labels) {
    DnsMessage query = Query{"vm1-blue.internal"};
    query[12 + 1 + 3] = std::byte{'.'};
    EXPECT_EQ(counted(query), "forwarded");
    EXPECT_EQ(counted(query, false), "refused");
    // And what escapes a byte is not escaped by one.
    Names names;
    names.hosts["\\046\\092\\000!.blue.internal"] = {"blue.internal", {*Ip::parse("10.0.0.9")}};
    DnsMessage odd = Query{"abcd!.blue.internal"};
    odd[12] = std::byte{4};
    odd[13] = std::byte{'.'};
    odd[14] = std::byte{'\\'};
    odd[15] = std::byte{0};
    odd.erase(odd.begin() + 16);
    EXPECT_EQ(answer_dns(odd, names, true, kLargest).counted, "answered");
}

TEST(DnsApex, has_a_soa_and_a_name_server) {
    EXPECT_EQ(reply(Query{"blue.internal", LDNS_RR_TYPE_SOA}),
              std::string("NOERROR qr aa rd ra | blue.internal. IN SOA | ") + kSoa + " | |");
    EXPECT_EQ(reply(Query{"blue.internal", LDNS_RR_TYPE_NS}),
              "NOERROR qr aa rd ra | blue.internal. IN NS | blue.internal. 30 IN NS blue.internal. | |");
    EXPECT_EQ(reply(Query{"blue.internal"}),
              std::string("NOERROR qr aa rd ra | blue.internal. IN A | | ") + kSoa + " |");
}

TEST(DnsApex, that_the_world_knows_is_asked_of_the_world) {
    for (const unsigned type : {LDNS_RR_TYPE_SOA, LDNS_RR_TYPE_NS, LDNS_RR_TYPE_MX, LDNS_RR_TYPE_A})
        EXPECT_EQ(reply(Query{"corp.example", type}), "forwarded");
    EXPECT_THAT(reply(Query{"corp.example", LDNS_RR_TYPE_NS}, false), HasSubstr("| corp.example. 30 IN NS"));
}

constexpr auto kReverse6 = "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa";

TEST(DnsReverse, names_the_owner_of_the_address) {
    EXPECT_EQ(reply(Query{"5.0.0.10.in-addr.arpa", LDNS_RR_TYPE_PTR}),
              "NOERROR qr aa rd ra | 5.0.0.10.in-addr.arpa. IN PTR | 5.0.0.10.in-addr.arpa. 30 IN PTR "
              "vm1.blue.internal. | |");
    EXPECT_EQ(reply(Query{kReverse6, LDNS_RR_TYPE_PTR}),
              fmt::format("NOERROR qr aa rd ra | {0}. IN PTR | {0}. 30 IN PTR vm1.blue.internal. | |", kReverse6));
    std::string upper = kReverse6;
    std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
    EXPECT_THAT(reply(Query{upper, LDNS_RR_TYPE_PTR}), EndsWith("IN PTR vm1.blue.internal. | |"));
    EXPECT_THAT(reply(Query{"5.0.1.10.in-addr.arpa", LDNS_RR_TYPE_PTR}), EndsWith("IN PTR www.corp.example. | |"));
}

TEST(DnsReverse, has_no_addresses) {
    EXPECT_EQ(reply(Query{"5.0.0.10.in-addr.arpa"}),
              "NOERROR qr aa rd ra | 5.0.0.10.in-addr.arpa. IN A | | 0.0.10.in-addr.arpa. 10 IN SOA "
              "0.0.10.in-addr.arpa. nobody.invalid. 1 3600 600 86400 10 |");
}

TEST(DnsReverse, is_denied_only_where_weft_alone_speaks_for_the_subnet) {
    EXPECT_EQ(counted(Query{"9.0.0.10.in-addr.arpa", LDNS_RR_TYPE_PTR}), "nxdomain");
    EXPECT_EQ(counted(Query{"9.0.1.10.in-addr.arpa", LDNS_RR_TYPE_PTR}), "forwarded");
    EXPECT_EQ(counted(Query{"9.0.2.10.in-addr.arpa", LDNS_RR_TYPE_PTR}), "forwarded");
    EXPECT_EQ(counted(Query{"9.0.2.10.in-addr.arpa", LDNS_RR_TYPE_PTR}, false), "refused");
}

TEST(DnsReverse, that_is_no_whole_address_is_a_name_like_any_other) {
    const std::string nibbles = kReverse6;
    for (const std::string& name : {std::string("0.0.10.in-addr.arpa"), std::string("1.5.0.0.10.in-addr.arpa"),
                                    std::string("05.0.0.10.in-addr.arpa"), std::string("x.0.0.10.in-addr.arpa"),
                                    std::string("256.0.0.10.in-addr.arpa"), std::string("in-addr.arpa"),
                                    std::string("ip6.arpa"), nibbles.substr(2), "0." + nibbles,
                                    "05" + nibbles.substr(1), "g" + nibbles.substr(1), ":" + nibbles.substr(1)})
        EXPECT_THAT(reply(Query{name, LDNS_RR_TYPE_PTR}), testing::Not(HasSubstr("vm1"))) << name;
}

TEST(DnsReverse, of_an_owner_whose_name_dns_cannot_say_is_unknown) {
    Names names;
    names.owners[*Ip::parse("10.0.0.5")] = std::string(64, 'a') + ".blue.internal";
    EXPECT_EQ(answer_dns(DnsMessage(Query{"5.0.0.10.in-addr.arpa", LDNS_RR_TYPE_PTR}), names, true, kLargest).counted,
              "nxdomain");
}

TEST(DnsRefusal, of_what_nobody_knows) {
    EXPECT_EQ(reply(Query{"example.org"}, false), "REFUSED qr rd | example.org. IN A | | |");
    EXPECT_EQ(counted(Query{"example.org"}, false), "refused");
    EXPECT_EQ(reply(Query{"", LDNS_RR_TYPE_NS}, false), "REFUSED qr rd | . IN NS | | |");
}

TEST(DnsRefusal, of_other_classes_and_of_meta_types) {
    EXPECT_EQ(reply(Query{.name = "version.bind", .type = LDNS_RR_TYPE_TXT, .klass = LDNS_RR_CLASS_CH}),
              "REFUSED qr rd ra | version.bind. CH TXT | | |");
    for (const unsigned type : {0U, 41U, 128U, 249U, 250U, 251U, 252U, 253U, 254U}) {
        EXPECT_EQ(counted(Query{"blue.internal", type}), "refused") << type;
        EXPECT_EQ(counted(Query{"example.org", type}), "refused") << type;
    }
    EXPECT_EQ(counted(Query{"example.org", 127}), "forwarded");
    EXPECT_EQ(counted(Query{"example.org", 256}), "forwarded");
}

TEST(DnsRefusal, of_what_is_signed) {
    for (const unsigned type : {LDNS_RR_TYPE_TSIG, LDNS_RR_TYPE_SIG}) {
        DnsMessage query = Query{"vm1.blue.internal"};
        query[11] = std::byte{1};
        put_name(query, "key");
        for (const unsigned word : {type, 255U, 0U, 0U, 2U, 0U})
            put16(query, word);
        EXPECT_EQ(reply(query), "REFUSED qr rd ra | vm1.blue.internal. IN A | | |");
    }
}

TEST(DnsRefusal, of_operations_but_queries_and_of_newer_edns) {
    const Query notify{.name = "blue.internal", .flags = 0x2100};
    EXPECT_EQ(reply(notify), "NOTIMPL qr rd ra | blue.internal. IN A | | |");
    const auto message = std::get<DnsMessage>(outcome(notify).what);
    EXPECT_EQ(std::to_integer<int>(message[2]), 0xa1); // the opcode is the query's
    EXPECT_EQ(counted(notify), "unimplemented");
    EXPECT_EQ(reply(Query{.name = "vm1.blue.internal", .opt = Opt{.version = 1, .dnssec_ok = true}}),
              "1+NOERROR qr rd ra | vm1.blue.internal. IN A | | | | edns 1232 do");
    EXPECT_EQ(counted(Query{.name = "example.org", .opt = Opt{.version = 1}}), "bad_version");
}

TEST(DnsMalformed, is_not_answered_where_it_could_be_a_response) {
    const DnsMessage query = Query{"vm1.blue.internal"};
    for (std::size_t size = 0; size < 12; ++size)
        EXPECT_EQ(reply(DnsMessage(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(size))), "dropped");
    EXPECT_EQ(reply(Query{.name = "vm1.blue.internal", .flags = 0x8100}), "dropped");
}

TEST(DnsMalformed, gets_a_bare_header) {
    const DnsMessage query = Query{.name = "vm1.blue.internal", .opt = Opt{.options = 8}};
    for (std::size_t size = 12; size < query.size(); ++size) {
        const DnsMessage cut(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_EQ(reply(cut), "FORMERR qr rd ra | | | |") << size;
        EXPECT_EQ(std::get<DnsMessage>(outcome(cut).what).size(), 12U);
    }
    EXPECT_EQ(counted(DnsMessage(query.begin(), query.end() - 1)), "malformed");
}

TEST(DnsMalformed, is_what_has_not_one_question) {
    DnsMessage query = Query{"vm1.blue.internal"};
    query[5] = std::byte{0};
    EXPECT_EQ(counted(query), "malformed");
    query[5] = std::byte{2};
    query.insert(query.end(), query.begin() + 12, query.end());
    EXPECT_EQ(counted(query), "malformed");
}

TEST(DnsMalformed, is_a_question_with_a_pointer_or_a_long_name) {
    for (const int to : {0, 12, 14, 0xff}) { // the header, itself, and what is not there
        DnsMessage query = Query{""};
        query.insert(query.begin() + 12, {std::byte{0xc0}, static_cast<std::byte>(to)});
        EXPECT_EQ(counted(query), "malformed");
        query.erase(query.begin() + 14);
        EXPECT_EQ(counted(query), "malformed");
    }
    DnsMessage odd = Query{"abc"};
    odd[12] = std::byte{0x43}; // RFC 6891, 5: labels of other types are no more
    EXPECT_EQ(counted(odd), "malformed");
    const std::string label(63, 'a');
    const auto longest = label + "." + label + "." + label + "." + label.substr(2);
    EXPECT_EQ(counted(Query{longest}), "forwarded");
    EXPECT_EQ(counted(Query{longest + "a"}), "malformed");
}

TEST(DnsMalformed, is_what_has_two_opts_or_one_astray) {
    DnsMessage query = Query{.name = "vm1.blue.internal", .opt = Opt{.options = 8}};
    auto twice = query;
    Query::put_opt(twice, {.options = 8});
    EXPECT_THAT(reply(twice), HasSubstr("edns")); // it is behind the end
    twice[11] = std::byte{2};
    EXPECT_EQ(reply(twice), "FORMERR qr rd ra | | | |");
    auto as_answer = query;
    std::swap(as_answer[7], as_answer[11]);
    EXPECT_EQ(counted(as_answer), "malformed");
    auto named = query;
    named.insert(named.end() - 19, {std::byte{1}, std::byte{'a'}});
    EXPECT_EQ(counted(named), "malformed");
}

TEST(DnsMalformed, is_not_what_has_records_of_no_interest) {
    DnsMessage query = Query{"vm1.blue.internal"};
    query[9] = std::byte{1}; // as IXFR does
    put16(query, 0xc00c);
    for (const unsigned word : {6U, 1U, 0U, 0U, 3U, 0xffffU})
        put16(query, word);
    EXPECT_EQ(counted(query), "malformed");
    query.push_back(std::byte{0xff});
    EXPECT_EQ(counted(query), "answered");
    query.push_back(std::byte{0});
    EXPECT_EQ(counted(query), "answered");
}

TEST(DnsEdns, is_in_the_reply_if_it_is_in_the_query) {
    EXPECT_THAT(reply(Query{.name = "vm1.blue.internal", .opt = Opt{.payload = 4096}}), EndsWith("| | | edns 1232"));
    EXPECT_THAT(reply(Query{.name = "vm1.blue.internal", .opt = Opt{.dnssec_ok = true, .options = 12}}),
                EndsWith("| | | edns 1232 do"));
    EXPECT_THAT(reply(Query{.name = "vm9.blue.internal", .opt = Opt{}}), EndsWith("| edns 1232"));
    EXPECT_THAT(reply(Query{.name = "example.org", .opt = Opt{}}, false), EndsWith("| edns 1232"));
    EXPECT_THAT(reply(Query{.name = "blue.internal", .opt = Opt{}, .flags = 0x2100}), EndsWith("| edns 1232"));
}

/// The size of the answer to a question that is answered with many addresses, and whether it is truncated.
std::pair<std::size_t, bool> large_answer(std::optional<Opt> opt, std::size_t addresses, std::size_t largest) {
    Names names;
    auto& host = names.hosts["many.blue.internal"];
    host.zone = "blue.internal";
    for (std::size_t i = 0; i < addresses; ++i)
        host.addresses.push_back(Ip::v4(0x0a000000).plus(i));
    const auto result = answer_dns(DnsMessage(Query{.name = "many.blue.internal", .opt = opt}), names, true, largest);
    const auto& message = std::get<DnsMessage>(result.what);
    const auto read = text(message);
    const bool truncated = read.starts_with("NOERROR qr aa tc rd ra | many.blue.internal. IN A | | |");
    EXPECT_EQ(read.find(" tc ") != std::string::npos, truncated);
    EXPECT_EQ(read.find("edns") != std::string::npos, opt.has_value());
    return {message.size(), truncated};
}

TEST(DnsLimit, is_512_bytes_or_what_both_sides_and_the_network_take) {
    constexpr std::size_t kQuestion = 12 + 20 + 4, kAddress = 16, kOpt = 11;
    EXPECT_EQ(large_answer({}, 29, 1232), std::pair(kQuestion + 29 * kAddress, false)); // 500
    EXPECT_EQ(large_answer({}, 30, 1232), std::pair(kQuestion, true));                  // 516
    const auto fits = [&](unsigned payload, std::size_t largest) {
        std::size_t most = 0;
        for (std::size_t count = 20; count < 100; ++count)
            if (!large_answer(Opt{.payload = payload}, count, largest).second) most = count;
        EXPECT_EQ(large_answer(Opt{.payload = payload}, most, largest).first, kQuestion + most * kAddress + kOpt);
        EXPECT_EQ(large_answer(Opt{.payload = payload}, most + 1, largest).first, kQuestion + kOpt);
        return kQuestion + most * kAddress + kOpt;
    };
    const auto just_below = [&](std::size_t limit) { return limit - (limit - kQuestion - kOpt) % kAddress; };
    const auto whole = static_cast<unsigned>(kQuestion + 40 * kAddress + kOpt);
    EXPECT_FALSE(large_answer(Opt{.payload = whole}, 40, 1232).second);
    EXPECT_TRUE(large_answer(Opt{.payload = whole - 1}, 40, 1232).second);
    EXPECT_EQ(fits(0, 1232), just_below(512));
    EXPECT_EQ(fits(800, 1232), just_below(800));
    EXPECT_EQ(fits(4096, 1000), just_below(1000));
    EXPECT_EQ(fits(4096, 300), just_below(512));
    EXPECT_EQ(fits(65535, 65535), just_below(1232));
}

TEST(DnsForward, is_the_question_and_no_more) {
    const auto plain = forwarded(Query{"Example.ORG", LDNS_RR_TYPE_MX});
    EXPECT_EQ(text(plain.query), "NOERROR rd | Example.ORG. IN MX | | |");
    EXPECT_EQ(id_of(plain.query), 0U);
    EXPECT_EQ(plain.id, 0xabcd);
    EXPECT_EQ(plain.limit, 512U);
    const auto edns = forwarded(
        Query{.name = "example.org", .opt = Opt{.payload = 1400, .dnssec_ok = true, .options = 12}, .flags = 0x0030},
        1100);
    EXPECT_EQ(text(edns.query), "NOERROR ad cd | example.org. IN A | | | | edns 1100 do");
    EXPECT_EQ(edns.query.size(), 12 + 13 + 4 + 11U);
    EXPECT_EQ(edns.limit, 1100U);
    EXPECT_EQ(counted(Query{"example.org"}), "forwarded");
    EXPECT_EQ(counted(Query{"internal"}), "forwarded");
    EXPECT_EQ(counted(Query{"mail.corp.example"}), "forwarded");
    EXPECT_EQ(counted(Query{""}), "forwarded");
}

/// A response to the question with so many addresses.
DnsMessage response(const DnsForward& asked, std::size_t addresses, bool with_opt = false) {
    DnsMessage message(asked.query.begin(), asked.query.begin() + 12);
    message[0] = std::byte{0x12};
    message[2] |= std::byte{0x80};
    message[3] |= std::byte{0x80};
    message[6] = static_cast<std::byte>(addresses >> 8);
    message[7] = static_cast<std::byte>(addresses);
    message[11] = static_cast<std::byte>(with_opt ? 1 : 0);
    put_name(message, "eXample.org");
    put16(message, LDNS_RR_TYPE_A);
    put16(message, LDNS_RR_CLASS_IN);
    for (std::size_t i = 0; i < addresses; ++i)
        for (const unsigned word : {0xc00cU, 1U, 1U, 0U, 60U, 4U, 0xc000U, static_cast<unsigned>(i)})
            put16(message, word);
    if (with_opt) Query::put_opt(message, {.payload = 4096});
    return message;
}

TEST(DnsRelayed, is_the_response_with_the_clients_id_and_spelling) {
    const auto asked = forwarded(Query{"exAMple.org"});
    const auto relay = relayed(asked, response(asked, 1));
    ASSERT_TRUE(relay);
    EXPECT_EQ(id_of(*relay), 0xabcdU);
    EXPECT_EQ(text(*relay), "NOERROR qr rd ra | exAMple.org. IN A | exAMple.org. 60 IN A 192.0.0.0 | |");
}

TEST(DnsRelayed, is_truncated_to_what_the_client_takes) {
    const auto plain = forwarded(Query{"example.org"});
    EXPECT_EQ(relayed(plain, response(plain, 30))->size(), 12 + 17 + 30 * 16U); // 509
    for (const unsigned too_small : {0U, 1U}) {
        const auto exact =
            forwarded(Query{.name = "example.org", .opt = Opt{.payload = 29 + 40 * 16 + 11 - too_small}});
        EXPECT_EQ(text(*relayed(exact, response(exact, 40, true))).find(" tc ") != std::string::npos, too_small == 1);
    }
    const auto relay = relayed(plain, response(plain, 31));
    ASSERT_TRUE(relay);
    EXPECT_EQ(text(*relay), "NOERROR qr tc rd ra | example.org. IN A | | |");
    EXPECT_EQ(id_of(*relay), 0xabcdU);
    const auto edns = forwarded(Query{.name = "example.org", .opt = Opt{.payload = 700, .dnssec_ok = true}});
    EXPECT_EQ(relayed(edns, response(edns, 31, true))->size(), 12 + 17 + 31 * 16 + 11U);
    auto large = response(edns, 4000, true);
    large[2] |= std::byte{0x04};
    EXPECT_EQ(text(*relayed(edns, large)), "NOERROR qr aa tc rd ra | example.org. IN A | | | | edns 1232 do");
}

TEST(DnsRelayed, is_nothing_that_does_not_answer_the_question) {
    const auto asked = forwarded(Query{"example.org"});
    const auto good = response(asked, 1);
    const auto changed = [&](std::size_t at, int value) {
        auto message = good;
        message[at] = static_cast<std::byte>(value);
        return relayed(asked, message).has_value();
    };
    EXPECT_TRUE(changed(0, 0));           // the id is the sender's to compare
    EXPECT_FALSE(changed(2, 0x01));       // no response
    EXPECT_FALSE(changed(2, 0xa1));       // another operation
    EXPECT_FALSE(changed(5, 0));          // no question
    EXPECT_FALSE(changed(13, 'f'));       // another name
    EXPECT_FALSE(changed(12 + 7, 0x0e));  // lengths are no letters
    EXPECT_FALSE(changed(12 + 14, 28));   // another type
    EXPECT_FALSE(changed(12 + 13, 0x20)); // nor are types
    EXPECT_FALSE(changed(12 + 16, 3));    // another class
    EXPECT_FALSE(changed(7, 2));          // cut off
    for (std::size_t size = 0; size < good.size(); ++size)
        EXPECT_FALSE(relayed(asked, std::span(good).first(size)));
}

TEST(DnsFailed, is_servfail_in_the_clients_terms) {
    const auto plain = failed(forwarded(Query{"exAMple.org"}));
    EXPECT_EQ(text(plain), "SERVFAIL qr rd ra | exAMple.org. IN A | | |");
    EXPECT_EQ(id_of(plain), 0xabcdU);
    EXPECT_EQ(text(failed(forwarded(Query{.name = "example.org", .opt = Opt{.dnssec_ok = true}, .flags = 0x0010}))),
              "SERVFAIL qr ra cd | example.org. IN A | | | | edns 1232 do");
}

RC_GTEST_PROP(Dns, any_bytes_are_looked_at_without_harm, (std::vector<std::uint8_t> raw, bool has_resolvers)) {
    answer_dns(std::as_bytes(std::span(raw)), kNames, has_resolvers, kLargest);
}

} // namespace
} // namespace weft::controller
