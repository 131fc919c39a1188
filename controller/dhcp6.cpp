#include "controller/dhcp6.hpp"

#include "controller/dns_labels.hpp"
#include "controller/udp.hpp"
#include "controller/wire.hpp"

#include <algorithm>
#include <tins/dhcpv6.h>

namespace weft::controller {
namespace {

using namespace wire;
using Tins::DHCPv6;
using Octets = std::vector<std::uint8_t>;

constexpr std::uint16_t kClientPort = 546, kServerPort = 547;
constexpr std::size_t kHeaders = 40 + 8; ///< of IPv6 and UDP
constexpr std::size_t kMaxDuid = 130;    ///< RFC 8415, 11.1: two bytes of type and 128
constexpr std::size_t kMaxWithdrawn = 8; ///< in one IA; a client has seen one address of ours, or few
constexpr std::uint32_t kForever = 0xffffffff;
constexpr auto kNtpServer = static_cast<DHCPv6::OptionTypes>(56); ///< RFC 5908; libtins' constant is 54
/// RFC 8415, 7.1: All_DHCP_Relay_Agents_and_Servers.
const Ip kAllServers = Ip::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2});

/// RFC 8415, 21.13.
enum Status : std::uint16_t {
    success = 0,
    no_addrs_avail = 2,
    no_binding = 3,
    not_on_link = 4,
    use_multicast = 5,
    no_prefix_avail = 6,
};

/// RFC 8415, 16: whether a message has a server identifier.
enum class Server { named, unnamed, either };

struct Kind {
    DHCPv6::MessageType type;
    std::string_view name;
    Server server;
};

constexpr std::array kKinds{
    Kind{DHCPv6::SOLICIT, "solicit", Server::unnamed},
    Kind{DHCPv6::REQUEST, "request", Server::named},
    Kind{DHCPv6::CONFIRM, "confirm", Server::unnamed},
    Kind{DHCPv6::RENEW, "renew", Server::named},
    Kind{DHCPv6::REBIND, "rebind", Server::unnamed},
    Kind{DHCPv6::RELEASE, "release", Server::named},
    Kind{DHCPv6::DECLINE, "decline", Server::named},
    Kind{DHCPv6::INFO_REQUEST, "information_request", Server::either},
};

/// An identity association: IA_NA, IA_TA or IA_PD, and the addresses in it.
struct Association {
    DHCPv6::OptionTypes type;
    std::uint32_t id;
    std::vector<Ip> addresses;

    bool names(const Ip& ip) const { return std::ranges::find(addresses, ip) != addresses.end(); }
};

/// A client's message, as far as it matters.
struct Question {
    const Kind* kind;
    std::uint32_t transaction;
    std::optional<Octets> client_id, server_id, fqdn;
    std::vector<Association> associations;
    std::vector<std::uint16_t> wanted; ///< options
    bool rapid_commit;

    bool wants(DHCPv6::OptionTypes option) const { return std::ranges::find(wanted, option) != wanted.end(); }
};

std::optional<Octets> octets(const DHCPv6& message, DHCPv6::OptionTypes type) {
    const auto* option = message.search_option(type);
    if (!option) return std::nullopt;
    return Octets(option->data_ptr(), option->data_ptr() + option->data_size());
}

// libtins reads and writes the outer options only. Those within are of the same form, a message without its header.
constexpr std::size_t kMessageHeader = 4;

DHCPv6 unwrapped(const Octets& options) {
    Octets message(kMessageHeader);
    message.insert(message.end(), options.begin(), options.end());
    return {message.data(), static_cast<std::uint32_t>(message.size())};
}

Octets wrapped(DHCPv6 options) {
    auto message = options.serialize();
    message.erase(message.begin(), message.begin() + kMessageHeader);
    return message;
}

std::vector<Ip> addresses_in(const Octets& options) {
    std::vector<Ip> all;
    const auto inner = unwrapped(options);
    for (const auto& option : inner.options())
        if (option.option() == DHCPv6::IA_ADDR) all.push_back(from_tins(option.to<DHCPv6::ia_address_type>().address));
    return all;
}

std::vector<Association> associations(const DHCPv6& message) {
    std::vector<Association> all;
    for (const auto& option : message.options()) {
        if (option.option() == DHCPv6::IA_NA) {
            const auto ia = option.to<DHCPv6::ia_na_type>();
            all.push_back({DHCPv6::IA_NA, ia.id, addresses_in(ia.options)});
        } else if (option.option() == DHCPv6::IA_TA) {
            const auto ia = option.to<DHCPv6::ia_ta_type>();
            all.push_back({DHCPv6::IA_TA, ia.id, addresses_in(ia.options)});
        } else if (option.option() == DHCPv6::IA_PD) {
            const auto ia = option.to<DHCPv6::ia_na_type>(); // RFC 8415, 21.21: of the same form
            all.push_back({DHCPv6::IA_PD, ia.id, {}});
        }
    }
    return all;
}

/// Throws what libtins throws at malformed options.
Question read(Bytes payload, const Kind& kind) {
    const DHCPv6 message(reinterpret_cast<const std::uint8_t*>(payload.data()),
                         static_cast<std::uint32_t>(payload.size()));
    Question question{.kind = &kind,
                      .transaction = message.transaction_id(),
                      .client_id = octets(message, DHCPv6::CLIENTID),
                      .server_id = octets(message, DHCPv6::SERVERID),
                      .fqdn = octets(message, DHCPv6::CLIENT_FQDN),
                      .associations = associations(message),
                      .wanted = {},
                      .rapid_commit = message.has_rapid_commit()};
    if (message.search_option(DHCPv6::OPTION_REQUEST)) question.wanted = message.option_request();
    return question;
}

/// RFC 8415, 11.4, with the type in front.
Octets server_id(const GuestConfig& guest) {
    Octets id{0, 3, 0, 1};
    id.insert(id.end(), guest.server_mac.bytes.begin(), guest.server_mac.bytes.end());
    return id;
}

/// Why nobody may look further than the headers; empty when one may.
std::string refusal(const Datagram& heard, const GuestConfig& guest) {
    if (!guest.subnet6) return "DHCPv6 is not served in its network";
    if (heard.source_mac != guest.mac) return "it is from " + heard.source_mac.to_string() + ", not the port's MAC";
    if (heard.source_port != kClientPort) return "it is from another port than 546";
    if (!heard.source.is_link_local()) return "it is from " + heard.source.to_string() + ", no link-local address";
    if (heard.destination != kAllServers && heard.destination != Ip::link_local(guest.server_mac))
        return "it is to " + heard.destination.to_string();
    return {};
}

/// RFC 8415, 16.
std::string refusal(const Question& question, const GuestConfig& guest) {
    const bool information = question.kind->type == DHCPv6::INFO_REQUEST;
    if (!question.client_id && !information) return "it has no client identifier";
    if (question.client_id && (question.client_id->empty() || question.client_id->size() > kMaxDuid))
        return "its client identifier is of a wrong length";
    if (question.kind->server == Server::named && !question.server_id) return "it names no server";
    if (question.kind->server == Server::unnamed && question.server_id) return "it names a server";
    if (question.server_id && *question.server_id != server_id(guest)) return "it is for another server";
    if (information && !question.associations.empty()) return "it has an identity association";
    return {};
}

/// The first label of the name in the option (RFC 4704, 4).
std::string host_name(const Octets& fqdn) {
    if (fqdn.size() < 2 || fqdn[1] > 63 || fqdn[1] > fqdn.size() - 2) return {};
    const std::span label(fqdn.data() + 2, fqdn[1]);
    if (!std::ranges::all_of(label, [](std::uint8_t c) { return c >= 0x20 && c < 0x7f; })) return {};
    return {label.begin(), label.end()};
}

/// What is said so far; it ends where the guest's MTU does.
class Answer {
  public:
    Answer(DHCPv6::MessageType type, const Question& question, const GuestConfig& guest)
        : room_(guest.mtu > kHeaders ? guest.mtu - kHeaders : 0) {
        message_.msg_type(type);
        message_.transaction_id(question.transaction);
        if (question.client_id) must(one(DHCPv6::CLIENTID, *question.client_id));
        must(one(DHCPv6::SERVERID, server_id(guest)));
    }

    static DHCPv6 one(DHCPv6::OptionTypes type, const Octets& data) {
        DHCPv6 part;
        part.add_option({static_cast<std::uint16_t>(type), data.begin(), data.end()});
        return part;
    }

    static DHCPv6 status(Status code, const std::string& text) {
        DHCPv6 part;
        part.status_code({code, text});
        return part;
    }

    /// All the options of `part`, or, where they do not fit, none.
    bool add(const DHCPv6& part) {
        if (message_.size() + part.size() - kMessageHeader > room_) return false;
        for (const auto& option : part.options())
            message_.add_option(option);
        return true;
    }

    void must(const DHCPv6& part) { whole_ = add(part) && whole_; }

    void end(Exchange& exchange, const Datagram& heard, const GuestConfig& guest) {
        if (!whole_) {
            exchange.reason = "the answer does not fit its MTU";
            return;
        }
        const auto bytes = message_.serialize();
        exchange.answer = udp_frame({.source_mac = guest.server_mac,
                                     .destination_mac = guest.mac,
                                     .source = Ip::link_local(guest.server_mac),
                                     .destination = heard.source,
                                     .source_port = kServerPort,
                                     .destination_port = kClientPort,
                                     .payload = std::as_bytes(std::span(bytes))});
        exchange.answered = message_.msg_type() == DHCPv6::ADVERTISE ? "advertise" : "reply";
    }

  private:
    DHCPv6 message_;
    std::size_t room_;
    bool whole_ = true; ///< all that it must say did fit
};

std::uint32_t lease(const GuestConfig& guest) {
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(guest.lease.count(), 0, kForever));
}

/// A part of `lease`; of for ever, for ever.
std::uint32_t share(std::uint32_t lease, unsigned numerator, unsigned denominator) {
    return lease == kForever ? kForever : static_cast<std::uint32_t>(std::uint64_t{lease} * numerator / denominator);
}

struct Timers {
    std::uint32_t t1 = 0, t2 = 0;
};

DHCPv6 association(const Association& ia, const DHCPv6& inner, Timers timers = {}) {
    DHCPv6 part;
    if (ia.type == DHCPv6::IA_TA)
        part.ia_ta({ia.id, wrapped(inner)});
    else
        part.ia_na({ia.id, timers.t1, timers.t2, wrapped(inner)});
    if (ia.type != DHCPv6::IA_PD) return part;
    auto option = part.options().front();
    option.option(DHCPv6::IA_PD);
    DHCPv6 prefixes;
    prefixes.add_option(option);
    return prefixes;
}

/// The IA_NA that gets the guest's address; none when there is none to give or nobody asks.
const Association* bearer(const Question& question, const GuestConfig& guest) {
    if (!guest.ip6) return nullptr;
    const Association* found = nullptr;
    for (const auto& ia : question.associations) {
        if (ia.type != DHCPv6::IA_NA) continue;
        if (ia.names(*guest.ip6)) return &ia;
        if (!found) found = &ia;
    }
    return found;
}

/// What the client believes to have and must not use: lifetimes of 0 (RFC 8415, 18.3.4).
void withdraw(DHCPv6& inner, const Association& ia, const GuestConfig& guest) {
    std::size_t count = 0;
    for (const auto& ip : ia.addresses)
        if (ip != guest.ip6 && count++ < kMaxWithdrawn) inner.ia_address({tins_v6(ip), 0, 0});
}

void add_associations(Answer& answer, const Question& question, const GuestConfig& guest, const Association* bearer) {
    const auto type = question.kind->type;
    if (bearer) {
        const auto all = lease(guest);
        DHCPv6 inner;
        inner.ia_address({tins_v6(*guest.ip6), all, all});
        // What a Solicit names is a wish, which needs no answer.
        if (type != DHCPv6::SOLICIT) withdraw(inner, *bearer, guest);
        answer.must(association(*bearer, inner, {share(all, 1, 2), share(all, 4, 5)}));
    }
    for (const auto& ia : question.associations) {
        if (&ia == bearer) continue;
        DHCPv6 inner;
        if (type == DHCPv6::RENEW || type == DHCPv6::REBIND) withdraw(inner, ia, guest);
        if (inner.options().empty())
            inner = ia.type == DHCPv6::IA_PD ? Answer::status(no_prefix_avail, "no prefixes are delegated")
                                             : Answer::status(no_addrs_avail, "no address for this association");
        answer.add(association(ia, inner));
    }
}

/// One option with the addresses of the servers, if there is one (RFC 3646, RFC 4075).
void add_servers(Answer& answer, DHCPv6::OptionTypes type, const std::vector<Ip>& servers) {
    Octets addresses;
    for (const auto& ip : servers)
        if (ip.is_v6()) addresses.insert(addresses.end(), ip.bytes().begin(), ip.bytes().end());
    if (!addresses.empty()) answer.add(Answer::one(type, addresses));
}

/// RFC 5908, 4: an option a server, with its address (suboption 1).
void add_ntp(Answer& answer, const std::vector<Ip>& servers) {
    for (const auto& ip : servers) {
        if (!ip.is_v6()) continue;
        Octets suboption{0, 1, 0, 16};
        suboption.insert(suboption.end(), ip.bytes().begin(), ip.bytes().end());
        answer.add(Answer::one(kNtpServer, suboption));
    }
}

/// RFC 4704, 6. The name is the one the network has for the guest, else its own.
void add_fqdn(Answer& answer, const Octets& asked, const GuestConfig& guest) {
    if (asked.empty()) return;
    constexpr std::uint8_t kServerUpdates = 1, kOverridden = 2, kNoUpdates = 4;
    const auto flags = (asked[0] & kServerUpdates) != 0 ? kNoUpdates | kOverridden : kNoUpdates;
    Octets option{static_cast<std::uint8_t>(flags)};
    auto name = guest.host_name.empty()
                    ? Octets{}
                    : dns_labels(guest.host_name + (guest.domain.empty() ? "" : "." + guest.domain));
    if (name.empty())
        name.assign(asked.begin() + 1, asked.end());
    else if (guest.domain.empty())
        name.pop_back(); // a name without its domain does not end in the root
    option.insert(option.end(), name.begin(), name.end());
    answer.add(Answer::one(DHCPv6::CLIENT_FQDN, option));
}

/// DNS whether asked for or not: it is what clients want, and some forget to say so.
void add_configuration(Answer& answer, const Question& question, const GuestConfig& guest) {
    add_servers(answer, DHCPv6::DNS_SERVERS, guest.dns);
    if (const auto domain = dns_labels(guest.domain); !domain.empty())
        answer.add(Answer::one(DHCPv6::DOMAIN_LIST, domain));
    if (question.wants(kNtpServer)) add_ntp(answer, guest.ntp);
    if (question.wants(DHCPv6::SNTP_SERVERS)) add_servers(answer, DHCPv6::SNTP_SERVERS, guest.ntp);
    if (question.fqdn && question.wants(DHCPv6::CLIENT_FQDN)) add_fqdn(answer, *question.fqdn, guest);
}

/// Solicit, Request, Renew, Rebind.
void assign(Exchange& exchange, const Question& question, const Datagram& heard, const GuestConfig& guest) {
    const auto* to = bearer(question, guest);
    const bool solicit = question.kind->type == DHCPv6::SOLICIT;
    const bool committed = !solicit || (question.rapid_commit && to);
    Answer answer(committed ? DHCPv6::REPLY : DHCPv6::ADVERTISE, question, guest);
    if (!committed)
        answer.must(Answer::one(DHCPv6::PREFERENCE, {255}));
    else if (solicit)
        answer.must(Answer::one(DHCPv6::RAPID_COMMIT, {}));
    add_associations(answer, question, guest, to);
    add_configuration(answer, question, guest);
    if (!to) exchange.reason = guest.ip6 ? "it asks for no address" : "the port has no IPv6 address";
    answer.end(exchange, heard, guest);
    if (committed && to && exchange.answer) {
        exchange.lease = Exchange::Lease::bound;
        exchange.address = guest.ip6;
    }
}

void confirm(Exchange& exchange, const Question& question, const Datagram& heard, const GuestConfig& guest) {
    std::vector<Ip> named;
    for (const auto& ia : question.associations)
        named.insert(named.end(), ia.addresses.begin(), ia.addresses.end());
    if (named.empty()) {
        exchange.reason = "it names no address";
        return;
    }
    const auto other = std::ranges::find_if(named, [&](const Ip& ip) { return ip != guest.ip6; });
    Answer answer(DHCPv6::REPLY, question, guest);
    if (other == named.end()) {
        answer.must(Answer::status(success, "all addresses are on link"));
    } else {
        answer.must(Answer::status(not_on_link, "not this port's address"));
        exchange.lease = Exchange::Lease::refused;
        exchange.address = *other;
        exchange.reason = other->to_string() + " is not the port's address";
    }
    answer.end(exchange, heard, guest);
}

/// Release and Decline.
void give_back(Exchange& exchange, const Question& question, const Datagram& heard, const GuestConfig& guest) {
    Answer answer(DHCPv6::REPLY, question, guest);
    answer.must(Answer::status(success, "done"));
    bool given = false;
    for (const auto& ia : question.associations)
        if (ia.type == DHCPv6::IA_NA && guest.ip6 && ia.names(*guest.ip6))
            given = true;
        else
            answer.add(association(ia, Answer::status(no_binding, "nothing of the kind was given")));
    if (given) {
        exchange.lease = question.kind->type == DHCPv6::RELEASE ? Exchange::Lease::released : Exchange::Lease::declined;
        exchange.address = guest.ip6;
    }
    answer.end(exchange, heard, guest);
}

void inform(Exchange& exchange, const Question& question, const Datagram& heard, const GuestConfig& guest) {
    Answer answer(DHCPv6::REPLY, question, guest);
    const auto refresh = lease(guest);
    answer.must(Answer::one(DHCPv6::INFORMATION_REFRESH_TIME,
                            {static_cast<std::uint8_t>(refresh >> 24), static_cast<std::uint8_t>(refresh >> 16),
                             static_cast<std::uint8_t>(refresh >> 8), static_cast<std::uint8_t>(refresh)}));
    add_configuration(answer, question, guest);
    answer.end(exchange, heard, guest);
}

/// To our own address, which we never told anybody to use (RFC 8415, 16 and 18.4).
void unicast(Exchange& exchange, const Question& question, const Datagram& heard, const GuestConfig& guest) {
    exchange.reason = "it is sent to the server's own address";
    if (question.kind->server != Server::named) return;
    Answer answer(DHCPv6::REPLY, question, guest);
    answer.must(Answer::status(use_multicast, "send to ff02::1:2"));
    answer.end(exchange, heard, guest);
}

void answer_by_kind(Exchange& exchange, const Question& question, const Datagram& heard, const GuestConfig& guest) {
    exchange.reason = refusal(question, guest);
    if (!exchange.reason.empty()) return;
    if (question.fqdn) exchange.host_name = host_name(*question.fqdn);
    if (heard.destination != kAllServers) return unicast(exchange, question, heard, guest);
    switch (question.kind->type) {
    case DHCPv6::CONFIRM:
        return confirm(exchange, question, heard, guest);
    case DHCPv6::RELEASE:
    case DHCPv6::DECLINE:
        return give_back(exchange, question, heard, guest);
    case DHCPv6::INFO_REQUEST:
        return inform(exchange, question, heard, guest);
    default:
        return assign(exchange, question, heard, guest);
    }
}

} // namespace

Exchange answer_dhcp6(std::span<const std::byte> frame, const GuestConfig& guest) {
    Exchange exchange;
    const auto heard = datagram(frame);
    if (!heard || !heard->source.is_v6() || heard->destination_port != kServerPort || heard->payload.empty())
        return exchange;
    const auto* kind = std::ranges::find(kKinds, u8(heard->payload, 0), &Kind::type);
    if (kind == kKinds.end()) {
        exchange.reason = "it is no message of a client's";
        return exchange;
    }
    exchange.asked = kind->name;
    exchange.reason = refusal(*heard, guest);
    if (!exchange.reason.empty()) return exchange;
    try {
        answer_by_kind(exchange, read(heard->payload, *kind), *heard, guest);
    } catch (const std::exception&) { // libtins' word for it
        exchange = {.asked = kind->name, .reason = "it is malformed"};
    }
    return exchange;
}

} // namespace weft::controller
