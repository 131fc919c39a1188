#include "controller/dns.hpp"

#include "controller/ldns.hpp"
#include "controller/wire.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <ranges>

namespace weft::controller {
namespace {

using namespace wire;

constexpr std::size_t kHeader = 12;
constexpr std::size_t kLeastPayload = 512; ///< RFC 1035, 2.3.4
constexpr std::size_t kLongestName = 255;
constexpr std::uint32_t kTtl = 30;         ///< s: a port may move to another address
constexpr std::uint32_t kNegativeTtl = 10; ///< s: a port may appear
constexpr unsigned kBadVersion = 16;       ///< RFC 6891, 9

template <auto Free>
struct Freed {
    void operator()(auto* pointer) const { Free(pointer); }
};
using Packet = std::unique_ptr<ldns_pkt, Freed<ldns_pkt_free>>;
using Record = std::unique_ptr<ldns_rr, Freed<ldns_rr_free>>;
using Field = std::unique_ptr<ldns_rdf, Freed<ldns_rdf_deep_free>>;
template <class T>
using Allocated = std::unique_ptr<T, Freed<std::free>>;

std::uint32_t u32(Bytes bytes, std::size_t at) {
    return static_cast<std::uint32_t>(u16(bytes, at)) << 16 | u16(bytes, at + 2);
}

const std::uint8_t* data(Bytes bytes) {
    return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

// Headers: RFC 1035, 4.1.1.

bool is_response(Bytes message) {
    return LDNS_QR_WIRE(data(message)) != 0;
}
ldns_pkt_opcode opcode(Bytes message) {
    return static_cast<ldns_pkt_opcode>(LDNS_OPCODE_WIRE(data(message)));
}
unsigned header_code(Bytes message) {
    return u8(message, 3) & 0xf;
}
bool has_aa(Bytes message) {
    return LDNS_AA_WIRE(data(message)) != 0;
}
bool has_rd(Bytes message) {
    return LDNS_RD_WIRE(data(message)) != 0;
}
bool has_ad(Bytes message) {
    return LDNS_AD_WIRE(data(message)) != 0;
}
bool has_cd(Bytes message) {
    return LDNS_CD_WIRE(data(message)) != 0;
}

/// RFC 6891, 6.1.3.
struct Edns {
    std::size_t payload = 0;
    std::uint8_t extended_code = 0, version = 0;
    bool dnssec_ok = false;
};

/// Where things are in a message that has one question and is whole. Found without ldns, which would make a tree of
/// every record (and lose memory over a second OPT): nothing is allocated for what a stranger sent.
struct Layout {
    std::size_t question_end = 0;
    ldns_rr_type type = LDNS_RR_TYPE_A;
    ldns_rr_class klass = LDNS_RR_CLASS_IN;
    std::optional<Edns> edns;
    bool is_signed = false;
};

/// Where the name ends. A pointer ends it (RFC 1035, 4.1.4) and is not followed, so there are no loops.
std::optional<std::size_t> name_end(Bytes message, std::size_t at, bool may_point) {
    const auto start = at;
    while (at < message.size() && at - start < kLongestName) {
        const auto length = u8(message, at);
        if (length == 0) return at + 1;
        if (length >= 0xc0 && may_point && message.size() - at >= 2) return at + 2;
        if (length > LDNS_MAX_LABELLEN) return std::nullopt;
        at += 1U + length;
    }
    return std::nullopt;
}

/// The record at `at`, noted if it is one that matters; where it ends.
std::optional<std::size_t> read_record(Bytes message, std::size_t at, bool additional, Layout& layout) {
    constexpr std::size_t kFixed = 10;
    const auto fixed = name_end(message, at, true);
    if (!fixed || message.size() - *fixed < kFixed) return std::nullopt;
    const std::size_t length = u16(message, *fixed + 8);
    if (message.size() - *fixed - kFixed < length) return std::nullopt;
    const auto type = u16(message, *fixed);
    if (type == LDNS_RR_TYPE_OPT) {
        if (!additional || layout.edns || *fixed != at + 1) return std::nullopt; // one, at the root: RFC 6891, 6.1.1
        const auto ttl = u32(message, *fixed + 4);
        layout.edns = Edns{.payload = u16(message, *fixed + 2),
                           .extended_code = static_cast<std::uint8_t>(ttl >> 24),
                           .version = static_cast<std::uint8_t>(ttl >> 16),
                           .dnssec_ok = (ttl & 0x8000) != 0};
    }
    if (additional && (type == LDNS_RR_TYPE_TSIG || type == LDNS_RR_TYPE_SIG)) layout.is_signed = true;
    return *fixed + kFixed + length;
}

/// Nothing: not one question, or something is cut off or stands where it may not.
std::optional<Layout> layout_of(Bytes message) {
    if (message.size() < kHeader || u16(message, 4) != 1) return std::nullopt;
    // There is nothing before the first name that a pointer could mean.
    const auto name = name_end(message, kHeader, false);
    if (!name || message.size() - *name < 4) return std::nullopt;
    Layout layout{.question_end = *name + 4,
                  .type = static_cast<ldns_rr_type>(u16(message, *name)),
                  .klass = static_cast<ldns_rr_class>(u16(message, *name + 2))};
    auto at = layout.question_end;
    for (const std::size_t count_at : {6U, 8U, 10U})
        for (unsigned left = u16(message, count_at); left > 0; --left) {
            const auto next = read_record(message, at, count_at == 10, layout);
            if (!next) return std::nullopt;
            at = *next;
        }
    return layout;
}

Record question_of(Bytes message) {
    std::size_t at = kHeader;
    ldns_rr* record = nullptr;
    [[maybe_unused]] const auto status =
        ldns_wire2rr(&record, data(message), message.size(), &at, LDNS_SECTION_QUESTION);
    assert(status == LDNS_STATUS_OK); // layout_of() has found a whole name
    return Record(record);
}

/// As DnsNames spells it.
std::string spelt(const ldns_rdf& dname) {
    const std::span wire(ldns_rdf_data(&dname), ldns_rdf_size(&dname));
    std::string name;
    for (std::size_t at = 0; wire[at] != 0; at += 1U + wire[at]) {
        if (at != 0) name += '.';
        for (const auto byte : wire.subspan(at + 1, wire[at])) {
            const auto each = static_cast<char>(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
            if (byte > 0x20 && byte < 0x7f && each != '.' && each != '\\')
                name += each;
            else
                name += fmt::format("\\{:03}", byte);
        }
    }
    return name;
}

/// Null for what is no name of DNS.
Field dname(const std::string& name) {
    return Field(ldns_dname_new_frm_str(name.c_str()));
}

DnsMessage bytes_of(const ldns_pkt& packet) {
    std::uint8_t* wire = nullptr;
    std::size_t size = 0;
    [[maybe_unused]] const auto status = ldns_pkt2wire(&wire, &packet, &size);
    assert(status == LDNS_STATUS_OK);
    const Allocated<std::uint8_t> owner(wire);
    const auto all = std::as_bytes(std::span(wire, size));
    return {all.begin(), all.end()};
}

void put_edns(ldns_pkt& packet, std::size_t payload, bool dnssec_ok) {
    ldns_pkt_set_edns_udp_size(&packet, static_cast<std::uint16_t>(payload));
    ldns_pkt_set_edns_do(&packet, dnssec_ok);
}

/// A reply without records. Without a layout it is a bare header.
Packet reply_to(Bytes query, const std::optional<Layout>& layout, unsigned code, bool has_resolvers) {
    Packet packet(ldns_pkt_new());
    ldns_pkt_set_id(packet.get(), u16(query, 0));
    ldns_pkt_set_qr(packet.get(), true);
    ldns_pkt_set_opcode(packet.get(), opcode(query));
    ldns_pkt_set_rd(packet.get(), has_rd(query));
    ldns_pkt_set_cd(packet.get(), has_cd(query)); // RFC 4035, 3.1.6
    ldns_pkt_set_ra(packet.get(), has_resolvers);
    ldns_pkt_set_rcode(packet.get(), code & 0xf);
    if (!layout) return packet;
    ldns_pkt_push_rr(packet.get(), LDNS_SECTION_QUESTION, question_of(query).release());
    if (layout->edns) {
        put_edns(*packet, kDnsPayload, layout->edns->dnssec_ok);
        ldns_pkt_set_edns_extended_rcode(packet.get(), static_cast<std::uint8_t>(code >> 4));
    }
    return packet;
}

/// As it is, or truncated so that it fits. RFC 2181, 9: TC tells that the rest is of no use.
DnsMessage fitted(Packet packet, std::size_t limit) {
    auto whole = bytes_of(*packet);
    if (whole.size() <= limit) return whole;
    ldns_pkt_set_tc(packet.get(), true);
    for (const auto section : {LDNS_SECTION_ANSWER, LDNS_SECTION_AUTHORITY})
        ldns_pkt_set_section_count(packet.get(), section, 0);
    ldns_rr_list_deep_free(ldns_pkt_answer(packet.get()));
    ldns_pkt_set_answer(packet.get(), ldns_rr_list_new());
    ldns_rr_list_deep_free(ldns_pkt_authority(packet.get()));
    ldns_pkt_set_authority(packet.get(), ldns_rr_list_new());
    return bytes_of(*packet);
}

Record record(const ldns_rdf& owner, ldns_rr_type type, std::uint32_t ttl) {
    Record made(ldns_rr_new());
    ldns_rr_set_owner(made.get(), ldns_rdf_clone(&owner));
    ldns_rr_set_type(made.get(), type);
    ldns_rr_set_class(made.get(), LDNS_RR_CLASS_IN);
    ldns_rr_set_ttl(made.get(), ttl);
    return made;
}

Record address(const ldns_rdf& owner, const Ip& ip) {
    const auto bytes = std::span(ip.bytes()).last(static_cast<std::size_t>(ip.bits()) / 8);
    auto made = record(owner, ip.is_v4() ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA, kTtl);
    ldns_rr_push_rdf(made.get(), ldns_rdf_new_frm_data(ip.is_v4() ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA, bytes.size(),
                                                       bytes.data()));
    return made;
}

/// PTR or NS.
Record pointer(const ldns_rdf& owner, ldns_rr_type type, Field target) {
    auto made = record(owner, type, kTtl);
    ldns_rr_push_rdf(made.get(), target.release());
    return made;
}

Record soa(const ldns_rdf& zone) {
    auto made = record(zone, LDNS_RR_TYPE_SOA, kNegativeTtl); // RFC 2308, 3: the TTL is the minimum, too
    ldns_rr_push_rdf(made.get(), ldns_rdf_clone(&zone));
    ldns_rr_push_rdf(made.get(), ldns_dname_new_frm_str("nobody.invalid")); // nobody reads mail for it
    // Serial, refresh, retry, expire: for secondaries, which there are none of.
    for (const std::uint32_t value : {1U, 3600U, 600U, 86400U})
        ldns_rr_push_rdf(made.get(), ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, value));
    ldns_rr_push_rdf(made.get(), ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, kNegativeTtl));
    return made;
}

/// The labels of `name` in front of `suffix`, last first; empty if it does not end so.
std::vector<std::string_view> reversed_labels(std::string_view name, std::string_view suffix) {
    if (!name.ends_with(suffix)) return {};
    name.remove_suffix(suffix.size());
    std::vector<std::string_view> labels;
    for (const auto label : std::views::split(name, '.'))
        labels.emplace_back(label.begin(), label.end());
    std::ranges::reverse(labels);
    return labels;
}

/// The address that a reverse name stands for (RFC 1035, 3.5; RFC 3596, 2.5), if it is a whole one.
std::optional<Ip> address_of_reverse(std::string_view name) {
    if (const auto octets = reversed_labels(name, ".in-addr.arpa"); octets.size() == 4)
        return Ip::parse(fmt::format("{}", fmt::join(octets, ".")));
    const auto nibbles = reversed_labels(name, ".ip6.arpa");
    if (nibbles.size() != 32 || std::ranges::any_of(nibbles, [](std::string_view nibble) {
            return nibble.size() != 1 || std::string_view("0123456789abcdef").find(nibble) == std::string_view::npos;
        }))
        return std::nullopt;
    std::string text;
    for (std::size_t i = 0; i < nibbles.size(); ++i)
        text.append(i != 0 && i % 4 == 0 ? ":" : "").append(nibbles[i]);
    return Ip::parse(text);
}

/// RFC 6895, 3.1: those that are no types of data; 0 and OPT are no questions either.
bool is_meta(ldns_rr_type type) {
    return type == 0 || type == LDNS_RR_TYPE_OPT || (type >= 128 && type < LDNS_RR_TYPE_ANY);
}

std::size_t limit_of(const Layout& layout, std::size_t largest) {
    if (!layout.edns) return kLeastPayload;
    return std::max(kLeastPayload, std::min({layout.edns->payload, largest, kDnsPayload}));
}

/// What weft says of a name itself.
struct Known {
    std::string zone;
    std::vector<Record> records; ///< all that the name has
};

/// Nothing if weft does not know it. `own_zone`: the zone that the name is in, if weft alone speaks for that.
std::optional<Known> known(const DnsNames& names, const std::string& name, const ldns_rdf& owner,
                           const std::string& own_zone) {
    std::optional<Known> result;
    if (!own_zone.empty() && name == own_zone) {
        result.emplace(own_zone);
        result->records.push_back(soa(owner));
        result->records.push_back(pointer(owner, LDNS_RR_TYPE_NS, Field(ldns_rdf_clone(&owner))));
    }
    if (const auto host = names.find(name)) {
        if (!result) result.emplace(host->zone);
        for (const auto& ip : host->addresses)
            result->records.push_back(address(owner, ip));
    }
    if (const auto ip = address_of_reverse(name))
        if (const auto target = names.name_of(*ip))
            if (auto field = dname(*target)) {
                if (!result) result.emplace(names.zone_of(name));
                result->records.push_back(pointer(owner, LDNS_RR_TYPE_PTR, std::move(field)));
            }
    return result;
}

DnsForward forward_of(Bytes query, const Layout& layout, std::size_t limit) {
    const Packet packet(ldns_pkt_new());
    ldns_pkt_set_rd(packet.get(), has_rd(query));
    ldns_pkt_set_cd(packet.get(), has_cd(query));
    ldns_pkt_set_ad(packet.get(), has_ad(query)); // RFC 6840, 5.7: the client wants to see it in the response
    ldns_pkt_push_rr(packet.get(), LDNS_SECTION_QUESTION, question_of(query).release());
    if (layout.edns) put_edns(*packet, limit, layout.edns->dnssec_ok);
    return {bytes_of(*packet), u16(query, 0), limit};
}

DnsOutcome answer_question(Bytes query, const Layout& layout, const DnsNames& names, bool has_resolvers,
                           std::size_t limit) {
    const auto question = question_of(query);
    const auto& owner = *ldns_rr_owner(question.get());
    const auto name = spelt(owner);
    const auto zone = names.zone_of(name);
    // In a zone that is not private, what weft does not know may be known elsewhere: it is not for weft to deny.
    const bool alone = !zone.empty() && (!has_resolvers || names.is_private(zone));
    auto found = known(names, name, owner, alone ? zone : "");
    if (!found && !alone) {
        if (has_resolvers) return {forward_of(query, layout, limit), "forwarded"};
        return {bytes_of(*reply_to(query, layout, LDNS_RCODE_REFUSED, false)), "refused"};
    }

    const bool exists = found || names.is_above(name);
    auto packet = reply_to(query, layout, exists ? LDNS_RCODE_NOERROR : LDNS_RCODE_NXDOMAIN, has_resolvers);
    ldns_pkt_set_aa(packet.get(), true);
    bool answered = false;
    if (found)
        for (auto& each : found->records)
            if (layout.type == LDNS_RR_TYPE_ANY || layout.type == ldns_rr_get_type(each.get())) {
                ldns_pkt_push_rr(packet.get(), LDNS_SECTION_ANSWER, each.release());
                answered = true;
            }
    if (!answered)
        if (const auto apex = dname(found ? found->zone : zone))
            ldns_pkt_push_rr(packet.get(), LDNS_SECTION_AUTHORITY, soa(*apex).release());
    return {fitted(std::move(packet), limit), answered ? "answered" : exists ? "nodata" : "nxdomain"};
}

/// The question, from its name to its class.
Bytes question_bytes(Bytes message, const Layout& layout) {
    return message.subspan(kHeader, layout.question_end - kHeader);
}

/// Spelling aside. Lengths of labels are no letters, and RFC 4343 knows ASCII's only.
bool same_question(Bytes one, Bytes other) {
    constexpr std::size_t kTypeAndClass = 4;
    const auto lower = [](std::byte byte) {
        return byte >= std::byte{'A'} && byte <= std::byte{'Z'} ? byte | std::byte{0x20} : byte;
    };
    return one.size() == other.size() && std::ranges::equal(one.last(kTypeAndClass), other.last(kTypeAndClass)) &&
           std::ranges::equal(one, other, {}, lower, lower);
}

} // namespace

DnsOutcome answer_dns(Bytes query, const DnsNames& names, bool has_resolvers, std::size_t largest) {
    if (query.size() < kHeader || is_response(query)) return {{}, "dropped"};
    const auto layout = layout_of(query);
    const auto refuse = [&](unsigned code, std::string_view counted) -> DnsOutcome {
        return {bytes_of(*reply_to(query, layout, code, has_resolvers)), counted};
    };
    if (opcode(query) != LDNS_PACKET_QUERY) return refuse(LDNS_RCODE_NOTIMPL, "unimplemented");
    if (!layout) return refuse(LDNS_RCODE_FORMERR, "malformed");
    if (layout->edns && layout->edns->version > 0) return refuse(kBadVersion, "bad_version");
    const bool internet = layout->klass == LDNS_RR_CLASS_IN || layout->klass == LDNS_RR_CLASS_ANY;
    if (!internet || is_meta(layout->type) || layout->is_signed) return refuse(LDNS_RCODE_REFUSED, "refused");
    return answer_question(query, *layout, names, has_resolvers, limit_of(*layout, largest));
}

bool is_response_to(const DnsForward& asked, Bytes response) {
    const auto layout = layout_of(response), query = layout_of(asked.query);
    return layout && is_response(response) && opcode(response) == LDNS_PACKET_QUERY &&
           same_question(question_bytes(asked.query, *query), question_bytes(response, *layout));
}

std::optional<DnsMessage> relayed(const DnsForward& asked, Bytes response) {
    if (!is_response_to(asked, response)) return std::nullopt;
    const auto query = layout_of(asked.query);
    if (response.size() <= asked.limit) {
        DnsMessage reply(response.begin(), response.end());
        std::ranges::copy(question_bytes(asked.query, *query), reply.begin() + kHeader);
        put_u16(reply, 0, asked.id);
        return reply;
    }
    const auto extended = layout_of(response)->edns.value_or(Edns{}).extended_code;
    const auto packet = reply_to(asked.query, query, extended * 16U + header_code(response), true);
    ldns_pkt_set_id(packet.get(), asked.id);
    ldns_pkt_set_aa(packet.get(), has_aa(response));
    ldns_pkt_set_tc(packet.get(), true);
    return bytes_of(*packet);
}

DnsMessage failed(const DnsForward& asked) {
    const auto packet = reply_to(asked.query, layout_of(asked.query), LDNS_RCODE_SERVFAIL, true);
    ldns_pkt_set_id(packet.get(), asked.id);
    return bytes_of(*packet);
}

} // namespace weft::controller
