// libtins reads and writes BOOTP's header and writes the options. It does not read them here: it reads on behind END,
// knows neither options in the fields of another purpose (RFC 2131, 4.1) nor such as come in parts (RFC 3396).
#include "controller/dhcp4.hpp"

#include "controller/udp.hpp"
#include "controller/wire.hpp"

#include <algorithm>
#include <cassert>
#include <expected>
#include <fmt/format.h>
#include <map>
#include <ranges>
#include <tins/dhcp.h>
#include <utility>

namespace weft::controller {
namespace {

using namespace wire;
using Tins::DHCP;
using Octets = std::vector<std::uint8_t>;
using Code = std::uint8_t;
using Options = std::map<Code, Octets>; ///< by code, the parts of each joined

constexpr Code kRapidCommit = 80, kDomainSearch = 119, kRoutes = 121, kMicrosoftRoutes = 249;
constexpr std::uint16_t kServerPort = 67, kClientPort = 68;
constexpr std::size_t kFixed = 236, kCookie = 4;            ///< RFC 2131, 2: before the options
constexpr std::size_t kIpAndUdp = 28;                       ///< the headers of what is sent
constexpr std::size_t kMinPayload = 300, kMinMaximum = 576; ///< RFC 1542, 2.1; RFC 2132, 9.10
constexpr std::int64_t kInfinite = 0xffffffff;              ///< RFC 2131, 3.3
constexpr Mac kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
const Ip kAny = Ip::v4(0), kBroadcast = Ip::v4(0xffffffff);

/// A client's message.
struct Request {
    Datagram datagram;
    Tins::BootP header;
    Options options;
    std::uint8_t type = 0;

    Ip ciaddr() const { return from_tins(header.ciaddr()); }

    std::optional<Ip> address(Code code) const {
        const auto found = options.find(code);
        if (found == options.end()) return std::nullopt;
        return v4_at(std::as_bytes(std::span(found->second)), 0);
    }
    std::optional<Ip> server() const { return address(DHCP::DHCP_SERVER_IDENTIFIER); }
    std::optional<Ip> requested() const { return address(DHCP::DHCP_REQUESTED_ADDRESS); }

    /// In a DHCPREQUEST. Some clients that select put it where those that renew do.
    std::optional<Ip> wanted() const {
        if (const auto ip = requested(); ip && (server() || ciaddr() == kAny)) return ip;
        return ciaddr() != kAny ? std::optional(ciaddr()) : std::nullopt;
    }
};

/// RFC 2132, 2; no END at the end is forgiven. False: an option is cut off.
bool read_options(Bytes area, Options& options) {
    std::size_t at = 0;
    while (at < area.size()) {
        const Code code = u8(area, at++);
        if (code == DHCP::PAD) continue;
        if (code == DHCP::END) break;
        if (at == area.size()) return false;
        const std::size_t length = u8(area, at++);
        if (length > area.size() - at) return false;
        auto& value = options[code]; // RFC 3396, 7: one that comes again goes on
        for (std::size_t i = 0; i < length; ++i)
            value.push_back(u8(area, at + i));
        at += length;
    }
    return true;
}

/// Of the options field and of those that option 52 says hold options too, in this order (RFC 3396, 5).
bool read_all_options(Bytes area, const Tins::BootP& header, Options& options) {
    if (!read_options(area, options)) return false;
    const auto overload = options.find(DHCP::DHCP_OPTION_OVERLOAD);
    if (overload == options.end() || overload->second.size() != 1) return true;
    const auto fields = overload->second.front();
    if ((fields & 1U) != 0 && !read_options(std::as_bytes(std::span(header.file(), 128)), options)) return false;
    return (fields & 2U) == 0 || read_options(std::as_bytes(std::span(header.sname(), 64)), options);
}

std::expected<Request, std::string> read_request(Bytes frame) {
    const auto found = datagram(frame);
    if (!found || !found->source.is_v4() || found->source_port != kClientPort || found->destination_port != kServerPort)
        return std::unexpected("sends no DHCP message");
    const auto payload = found->payload;
    if (payload.size() < kFixed + kCookie) return std::unexpected("sends a DHCP message that is cut off");

    // Throws for what is shorter than the header, which this is not.
    const Tins::BootP header(reinterpret_cast<const std::uint8_t*>(payload.data()),
                             static_cast<std::uint32_t>(payload.size()), 0);
    if (header.opcode() != Tins::BootP::BOOTREQUEST) return std::unexpected("sends what a DHCP server sends");
    if (header.htype() != 1 || header.hlen() != Mac{}.bytes.size())
        return std::unexpected("asks with a hardware address that is not Ethernet's");
    if (u16(payload, kFixed) != 0x6382 || u16(payload, kFixed + 2) != 0x5363)
        return std::unexpected("asks by BOOTP, not DHCP");

    Request request{.datagram = *found, .header = header};
    if (!read_all_options(payload.subspan(kFixed + kCookie), header, request.options))
        return std::unexpected("sends a DHCP option that is cut off");
    constexpr std::pair<Code, std::size_t> kLengths[] = {{DHCP::DHCP_MESSAGE_TYPE, 1},
                                                         {DHCP::DHCP_SERVER_IDENTIFIER, 4},
                                                         {DHCP::DHCP_REQUESTED_ADDRESS, 4},
                                                         {DHCP::DHCP_MAX_MESSAGE_SIZE, 2},
                                                         {DHCP::DHCP_OPTION_OVERLOAD, 1}};
    for (const auto& [code, length] : kLengths)
        if (const auto option = request.options.find(code);
            option != request.options.end() && option->second.size() != length)
            return std::unexpected(fmt::format("sends the DHCP option {} with {} bytes instead of {}", code,
                                               option->second.size(), length));
    const auto type = request.options.find(DHCP::DHCP_MESSAGE_TYPE);
    if (type == request.options.end()) return std::unexpected("asks by BOOTP, not DHCP");
    request.type = type->second.front();
    return request;
}

std::string_view asked(const Request& request) {
    switch (request.type) {
    case DHCP::DISCOVER:
        return "discover";
    case DHCP::INFORM:
        return "inform";
    case DHCP::RELEASE:
        return "release";
    case DHCP::DECLINE:
        return "decline";
    case DHCP::REQUEST:
        if (request.server()) return "select";
        if (request.ciaddr() == kAny) return "reboot";
        return request.datagram.destination == kBroadcast ? "rebind" : "renew";
    default:
        return "";
    }
}

/// The option 12, else the first label of the option 81 (RFC 4702, 2.3), if it is text.
std::string host_name(const Options& options) {
    std::string name;
    if (const auto option = options.find(DHCP::HOST_NAME); option != options.end()) {
        name.assign(option->second.begin(), option->second.end());
    } else if (const auto fqdn = options.find(DHCP::FQDN); fqdn != options.end() && fqdn->second.size() > 3) {
        constexpr std::uint8_t kEncoded = 0x04; // as labels with their lengths
        const auto& octets = fqdn->second;
        if ((octets[0] & kEncoded) != 0)
            name.assign(octets.begin() + 4,
                        octets.begin() + 4 + std::min<std::ptrdiff_t>(octets[3], std::ssize(octets) - 4));
        else
            name.assign(octets.begin() + 3, octets.end());
        name = name.substr(0, name.find('.'));
    }
    name = name.substr(0, name.find('\0')); // RFC 2132, 2: may end with one
    if (!std::ranges::all_of(name, [](char c) { return c >= ' ' && c <= '~'; })) return {};
    return name.substr(0, 63);
}

/// Why a message, for all that it says, is not for this server to answer; empty: it is.
std::string why_not(const Request& request, const GuestConfig& guest) {
    if (asked(request).empty()) return fmt::format("sends a DHCP message of type {}, no client's", request.type);
    const auto& from = request.datagram;
    if (from.source_mac != guest.mac)
        return fmt::format("sends as {}, is {}", from.source_mac.to_string(), guest.mac.to_string());
    const auto chaddr = request.header.chaddr();
    Mac speaks_for;
    std::copy_n(chaddr.begin(), speaks_for.bytes.size(), speaks_for.bytes.begin());
    if (speaks_for != guest.mac)
        return fmt::format("asks for {}, is {}", speaks_for.to_string(), guest.mac.to_string());
    if (from_tins(request.header.giaddr()) != kAny) return "relays for somebody";
    if (!guest.ip) return "has no IPv4 address";
    if (guest.mtu < kIpAndUdp + kMinPayload) return fmt::format("has an MTU of {}, too small for DHCP", guest.mtu);
    const auto& to = from.destination;
    if (to != kBroadcast && to != guest.server && !(guest.subnet && to == guest.subnet->last()))
        return fmt::format("asks the server {}, here is {}", to.to_string(), guest.server->to_string());
    if (const auto server = request.server();
        server && server != guest.server && request.type != DHCP::DISCOVER && request.type != DHCP::INFORM)
        return fmt::format("means the server {}, here is {}", server->to_string(), guest.server->to_string());
    return {};
}

void append(Octets& octets, const Ip& ip) {
    octets.insert(octets.end(), ip.bytes().end() - 4, ip.bytes().end());
}

Octets value(const Ip& ip) {
    Octets octets;
    append(octets, ip);
    return octets;
}

Octets value(std::string_view text) {
    return {text.begin(), text.end()};
}

Octets value_u32(std::int64_t number) {
    return value(Ip::v4(static_cast<std::uint32_t>(number)));
}

Octets addresses_v4(const std::vector<Ip>& addresses) {
    Octets octets;
    for (const Ip& ip : addresses)
        if (ip.is_v4()) append(octets, ip);
    return octets;
}

/// RFC 3442: of each destination as many octets as count. With the default route, for who takes this ignores option 3.
Octets routes(const GuestConfig& guest) {
    Octets octets;
    const auto add = [&](const Prefix& prefix, const Ip& via) {
        const auto network = prefix.network();
        octets.push_back(static_cast<std::uint8_t>(prefix.length));
        const auto first = network.bytes().end() - 4;
        octets.insert(octets.end(), first, first + (prefix.length + 7) / 8);
        append(octets, via);
    };
    for (const auto& route : guest.routes)
        add(route.prefix, route.via);
    if (guest.router) add({kAny, 0}, *guest.router);
    return octets;
}

/// RFC 1035, 3.1: labels with their lengths. Empty: no such name can be.
Octets labels(std::string_view domain) {
    if (domain.empty()) return {};
    Octets octets;
    for (const auto part : std::views::split(domain, '.')) {
        const std::string_view label(part);
        if (label.empty() || label.size() > 63) return {};
        octets.push_back(static_cast<std::uint8_t>(label.size()));
        octets.insert(octets.end(), label.begin(), label.end());
    }
    octets.push_back(0);
    return octets.size() <= 255 ? octets : Octets{};
}

/// What is told of the port's configuration; empty: there is none of it.
Octets configured(Code code, const GuestConfig& guest) {
    switch (code) {
    case DHCP::SUBNET_MASK:
        return guest.subnet ? value(guest.subnet->netmask()) : Octets{};
    case DHCP::ROUTERS:
        return guest.router ? value(*guest.router) : Octets{};
    case DHCP::DOMAIN_NAME_SERVERS:
        return addresses_v4(guest.dns);
    case DHCP::INTERFACE_MTU:
        return {static_cast<std::uint8_t>(guest.mtu >> 8), static_cast<std::uint8_t>(guest.mtu & 0xff)};
    case DHCP::HOST_NAME:
        return value(guest.host_name);
    case DHCP::DOMAIN_NAME:
        return value(guest.domain);
    case DHCP::BROADCAST_ADDRESS: // RFC 3021: there is none of two addresses
        return guest.subnet && guest.subnet->length < 31 ? value(guest.subnet->last()) : Octets{};
    case DHCP::NTP_SERVERS:
        return addresses_v4(guest.ntp);
    case kDomainSearch:
        return labels(guest.domain);
    case kRoutes:
    case kMicrosoftRoutes:
        return routes(guest);
    default:
        return {};
    }
}

/// The options of an answer in their order on the wire.
class Answer {
  public:
    /// Once: what comes again would be joined to it.
    void add(Code code, Octets octets) {
        if (std::ranges::find(options_, code, &Option::first) == options_.end())
            options_.emplace_back(code, std::move(octets));
    }

    void add_if_any(Code code, Octets octets) {
        if (!octets.empty()) add(code, std::move(octets));
    }

    /// Leaves out what does not fit beside what matters more.
    void fit(std::size_t room) {
        // Without these it is no answer, then without those the guest is cut off, then comfort.
        constexpr Code kByImportance[] = {DHCP::DHCP_MESSAGE_TYPE,
                                          DHCP::DHCP_SERVER_IDENTIFIER,
                                          DHCP::DHCP_LEASE_TIME,
                                          kRapidCommit,
                                          DHCP::DHCP_CLIENT_IDENTIFIER,
                                          DHCP::DHCP_MESSAGE,
                                          DHCP::SUBNET_MASK,
                                          DHCP::ROUTERS,
                                          DHCP::INTERFACE_MTU,
                                          DHCP::DOMAIN_NAME_SERVERS,
                                          kRoutes,
                                          kMicrosoftRoutes,
                                          DHCP::DHCP_RENEWAL_TIME,
                                          DHCP::DHCP_REBINDING_TIME,
                                          DHCP::DOMAIN_NAME,
                                          DHCP::HOST_NAME,
                                          DHCP::BROADCAST_ADDRESS,
                                          DHCP::NTP_SERVERS,
                                          kDomainSearch};
        for (const Code code : kByImportance) {
            const auto option = std::ranges::find(options_, code, &Option::first);
            if (option == options_.end()) continue;
            if (const auto size = size_of(option->second); size <= room)
                room -= size;
            else
                options_.erase(option);
        }
    }

    void write(DHCP& message) const {
        for (const auto& [code, octets] : options_) {
            const std::span all(octets);
            std::size_t at = 0;
            do { // RFC 3396, 5
                const auto part = all.subspan(at, std::min(kPart, all.size() - at));
                message.add_option(DHCP::option(code, part.begin(), part.end()));
                at += part.size();
            } while (at < all.size());
        }
        message.end();
    }

  private:
    using Option = std::pair<Code, Octets>;
    static constexpr std::size_t kPart = 255;

    static std::size_t size_of(const Octets& octets) {
        return octets.size() + 2 * std::max<std::size_t>(1, (octets.size() + kPart - 1) / kPart);
    }

    std::vector<Option> options_;
};

/// RFC 2132, 9.10, and what its port can take: bytes of an IP packet.
std::size_t largest_packet(const Request& request, const GuestConfig& guest) {
    std::size_t largest = kMinMaximum;
    if (const auto option = request.options.find(DHCP::DHCP_MAX_MESSAGE_SIZE); option != request.options.end())
        largest = std::max<std::size_t>(largest, u16(std::as_bytes(std::span(option->second)), 0));
    return std::min<std::size_t>(largest, guest.mtu);
}

void add_lease(Answer& answer, std::chrono::seconds lease) {
    const auto seconds = std::min<std::int64_t>(lease.count(), kInfinite);
    answer.add(DHCP::DHCP_LEASE_TIME, value_u32(seconds));
    if (seconds == kInfinite) return;
    answer.add(DHCP::DHCP_RENEWAL_TIME, value_u32(seconds / 2));
    answer.add(DHCP::DHCP_REBINDING_TIME, value_u32(seconds * 7 / 8));
}

void add_configuration(Answer& answer, const Request& request, const GuestConfig& guest) {
    // Also unasked: there are clients that ask for nothing and rely on it. RFC 2132, 3.3: the mask before the router.
    Octets wanted{DHCP::SUBNET_MASK, DHCP::ROUTERS, DHCP::DOMAIN_NAME_SERVERS, DHCP::INTERFACE_MTU};
    constexpr Code kWithoutList[] = {kRoutes, DHCP::DOMAIN_NAME, DHCP::HOST_NAME, DHCP::BROADCAST_ADDRESS,
                                     DHCP::NTP_SERVERS};
    if (const auto list = request.options.find(DHCP::DHCP_PARAMETER_REQUEST_LIST); list != request.options.end())
        wanted.insert(wanted.end(), list->second.begin(), list->second.end());
    else
        wanted.insert(wanted.end(), std::begin(kWithoutList), std::end(kWithoutList));
    if (!guest.routes.empty()) wanted.push_back(kRoutes);
    for (const Code code : wanted)
        answer.add_if_any(code, configured(code, guest));
}

/// RFC 2131, 4.3.1 and table 3. `refusal` is a NAK's.
Frame reply(const Request& request, const GuestConfig& guest, DHCP::Flags type, std::string_view refusal = {}) {
    const bool nak = type == DHCP::NAK, inform = request.type == DHCP::INFORM;
    const auto ciaddr = type == DHCP::ACK ? request.ciaddr() : kAny;
    const auto yiaddr = nak || inform ? kAny : *guest.ip;

    DHCP message;
    message.opcode(Tins::BootP::BOOTREPLY);
    message.xid(request.header.xid());
    message.padding(request.header.padding());
    message.ciaddr(tins_v4(ciaddr));
    message.yiaddr(tins_v4(yiaddr));
    message.chaddr(request.header.chaddr());

    Answer answer;
    answer.add(DHCP::DHCP_MESSAGE_TYPE, {static_cast<std::uint8_t>(type)});
    answer.add(DHCP::DHCP_SERVER_IDENTIFIER, value(*guest.server));
    if (nak) answer.add(DHCP::DHCP_MESSAGE, value(refusal));
    if (!nak && !inform) add_lease(answer, guest.lease);
    if (type == DHCP::ACK && request.type == DHCP::DISCOVER) answer.add(kRapidCommit, {});
    if (!nak) add_configuration(answer, request, guest);
    if (const auto id = request.options.find(DHCP::DHCP_CLIENT_IDENTIFIER); id != request.options.end())
        answer.add(id->first, id->second);
    constexpr std::size_t kEnd = 2; // libtins gives END a length
    answer.fit(largest_packet(request, guest) - kIpAndUdp - kFixed - kCookie - kEnd);
    answer.write(message);
    auto payload = serialized(message);
    payload.resize(std::max(payload.size(), kMinPayload));

    // RFC 2131, 4.1. An inform may come without the address that it should name.
    constexpr std::uint16_t kBroadcastFlag = 0x8000;
    auto to = ciaddr != kAny ? ciaddr : (request.header.padding() & kBroadcastFlag) != 0 ? kBroadcast : yiaddr;
    if (inform && to == kAny) to = request.datagram.source;
    if (nak || to == kAny) to = kBroadcast;
    return udp_frame({guest.server_mac, to == kBroadcast ? kBroadcastMac : guest.mac, *guest.server, to, kServerPort,
                      kClientPort, payload});
}

void bind(Exchange& exchange, const Request& request, const GuestConfig& guest) {
    exchange.answered = "ack";
    exchange.answer = reply(request, guest, DHCP::ACK);
    exchange.lease = Exchange::Lease::bound;
    exchange.address = guest.ip;
}

/// RFC 2131, 4.3.2: every state, for the guest has one address in all of them.
void answer_request(Exchange& exchange, const Request& request, const GuestConfig& guest) {
    const auto wanted = request.wanted();
    if (!wanted) {
        exchange.reason = "asks for no address";
    } else if (wanted == guest.ip) {
        bind(exchange, request, guest);
    } else {
        exchange.reason = fmt::format("asks for {}, has {}", wanted->to_string(), guest.ip->to_string());
        exchange.answered = "nak";
        exchange.answer = reply(request, guest, DHCP::NAK, exchange.reason);
        exchange.lease = Exchange::Lease::refused;
    }
}

/// RFC 2131, 4.3.3 and 4.3.4: neither is answered.
void give_back(Exchange& exchange, const std::optional<Ip>& address, Exchange::Lease how, const GuestConfig& guest) {
    if (address == guest.ip) {
        exchange.lease = how;
        exchange.address = address;
    } else {
        exchange.reason =
            fmt::format("gives back {}, has {}", address ? address->to_string() : "no address", guest.ip->to_string());
    }
}

} // namespace

Exchange answer_dhcp4(Bytes frame, const GuestConfig& guest) {
    assert(!guest.ip || (guest.server && guest.lease.count() > 0));
    const auto request = read_request(frame);
    if (!request) return {.reason = request.error()};
    Exchange exchange{.asked = asked(*request), .host_name = host_name(request->options)};
    exchange.reason = why_not(*request, guest);
    if (!exchange.reason.empty()) return exchange;

    switch (request->type) {
    case DHCP::DISCOVER:
        if (request->options.contains(kRapidCommit)) {
            bind(exchange, *request, guest);
        } else {
            exchange.answered = "offer";
            exchange.answer = reply(*request, guest, DHCP::OFFER);
        }
        break;
    case DHCP::REQUEST:
        answer_request(exchange, *request, guest);
        break;
    case DHCP::INFORM:
        exchange.answered = "ack";
        exchange.answer = reply(*request, guest, DHCP::ACK);
        break;
    case DHCP::RELEASE:
        give_back(exchange, request->ciaddr(), Exchange::Lease::released, guest);
        break;
    case DHCP::DECLINE:
        give_back(exchange, request->requested(), Exchange::Lease::declined, guest);
        break;
    default: // why_not has said so
        break;
    }
    return exchange;
}

} // namespace weft::controller
