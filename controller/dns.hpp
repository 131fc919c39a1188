// What a guest is answered that asks weft for a name: DNS (RFC 1035, RFC 2308, RFC 6891) as values, the bytes of UDP's
// payload in and out. Names that weft knows are answered here; what a resolver shall answer becomes a DnsForward, which
// dns_forwarder sends. All of it is for any bytes, also hostile ones: nothing throws, sends, waits or looks at a clock.
#pragma once
#include "base/address.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weft::controller {

/// The largest message that weft takes and gives over UDP, in bytes: fits IPv6's least MTU (DNS Flag Day 2020).
inline constexpr std::size_t kDnsPayload = 1232;

/// What weft itself knows of names, for one asker. Names are absolute, in lower case and without a dot at their end. In
/// what is asked for, a dot, a backslash or what is not printable ASCII within a label is "\DDD" (decimal; RFC 1035,
/// 5.1): every dot is one between labels. The root is the empty name. Names that DNS cannot say (a label above 63
/// bytes, a name above 255) are as good as unknown.
class DnsNames {
  public:
    virtual ~DnsNames() = default;

    struct Host {
        std::string zone;          ///< the domain the name is in
        std::vector<Ip> addresses; ///< answered in this order; may be empty: then the name is there and no more
    };
    /// The host of that name.
    virtual std::optional<Host> find(std::string_view name) const = 0;
    /// The full name of whoever has the address.
    virtual std::optional<std::string> name_of(const Ip& ip) const = 0;
    /// The longest of weft's own domains that `name` is in or is, also the reverse ones of subnets
    /// ("2.10.in-addr.arpa"). Empty: it is in none.
    virtual std::string zone_of(std::string_view name) const = 0;
    /// True: no resolver is ever asked for anything in this zone.
    virtual bool is_private(std::string_view zone) const = 0;
    /// True: a known name lies under `name`, which therefore exists, if only as an empty non-terminal (RFC 8020).
    /// Asked for unknown names in own zones; where it is not known cheaply, false is the answer.
    virtual bool is_above(std::string_view /*name*/) const { return false; }
};

using DnsMessage = std::vector<std::byte>;

/// A question for a resolver, and what makes the resolver's response the reply to the client.
struct DnsForward {
    /// To be sent, once a fresh id is in its first two bytes (they are zero). One question, spelt as the client did;
    /// RD, CD and AD are the client's; an OPT without options iff the client sent one, with DO as there and `limit` as
    /// the payload size, so that it is the resolver that truncates.
    DnsMessage query;
    std::uint16_t id = 0;  ///< the client's
    std::size_t limit = 0; ///< of the reply, in bytes
    bool operator==(const DnsForward&) const = default;
};

struct DnsOutcome {
    /// Nothing: the message deserves no answer. Or the reply, or what to ask a resolver.
    std::variant<std::monostate, DnsMessage, DnsForward> what;
    /// As counters name it: answered, nodata, nxdomain, refused, forwarded; malformed (FORMERR), unimplemented
    /// (NOTIMP), bad_version (BADVERS), dropped.
    std::string_view counted;
};

/// What becomes of a client's message. `largest`: the biggest UDP payload, in bytes, that fits the client's network;
/// what is over kDnsPayload or below 512 counts as that. A reply is no larger than 512 bytes, or with EDNS than the
/// smaller of `largest` and what the client takes (RFC 6891, 6.2.5); if the answer is, it is truncated: TC, no records.
///
/// - Dropped: what is shorter than a header, and responses, lest two answer each other for ever.
/// - FORMERR, with a bare header: not one question, records cut off, two OPTs (RFC 6891, 6.1.1). Records besides the
///   OPT are not looked into, bytes behind the last one neither.
/// - NOTIMP: not a QUERY. BADVERS: EDNS above version 0 (RFC 6891, 6.1.3).
/// - REFUSED: signed (TSIG, SIG(0): the signature could not be kept); a class but IN and ANY; a meta type but ANY (RFC
///   6895, 3.1), zone transfers too; names that neither weft nor a resolver knows.
/// - Known names, and reverse names (RFC 1035, 3.5; RFC 3596, 2.5) of known addresses: the addresses or the PTR, with a
///   TTL of 30 s; of another type NODATA. ANY gets them all.
/// - A zone of weft's that no resolver is asked about, because it is private or there is none: SOA and NS for its
///   apex, NXDOMAIN for unknown names. SOA with a TTL of 10 s accompanies what is not there (RFC 2308, 3).
/// - All else is for a resolver.
///
/// Replies are spelt as the question was (draft-vixie-dnsext-dns0x20); AA is set on what weft knows, RA iff
/// `has_resolvers`. They carry an OPT iff the query does.
DnsOutcome answer_dns(std::span<const std::byte> query, const DnsNames& names, bool has_resolvers, std::size_t largest);

/// Is it a response, well-formed, to the very question asked? Nothing about its id, which is the sender's to compare.
/// The name may be spelt otherwise.
bool is_response_to(const DnsForward& asked, std::span<const std::byte> response);

/// The reply to the client: the response with the client's id and spelling, or where it is larger than the limit only
/// its codes, TC, the question and an OPT if the client sent one. Nothing unless is_response_to().
std::optional<DnsMessage> relayed(const DnsForward& asked, std::span<const std::byte> response);

/// What the client gets when no resolver answered: SERVFAIL.
DnsMessage failed(const DnsForward& asked);

} // namespace weft::controller
