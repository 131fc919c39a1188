// DNS: a client's message, and a resolver's response to what becomes of it. The first three bytes choose the world (the
// largest payload, whether there are resolvers) and where the message ends and the response begins.
#include "controller/dns.hpp"
#include "controller/ldns.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace weft;
using namespace weft::controller;

[[noreturn]] void wrong(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

/// One zone, in it one host with many addresses, whose name is long for a question to fill a message.
class Names final : public DnsNames {
  public:
    std::optional<Host> find(std::string_view name) const override {
        if (name != "vm.a" && !name.ends_with("x.a")) return std::nullopt;
        Host host{"a", {}};
        for (std::uint64_t i = 0; i < (name == "vm.a" ? 2 : 60); ++i) {
            host.addresses.push_back(Ip::v4(0x0a000000).plus(i));
            host.addresses.push_back(Ip::v6({0xfd}).plus(i));
        }
        return host;
    }
    std::optional<std::string> name_of(const Ip& ip) const override {
        return std::string(static_cast<std::size_t>(ip.bytes()[15]), 'y') + ".x.a";
    }
    std::string zone_of(std::string_view name) const override {
        if (name == "a" || name.ends_with(".a")) return "a";
        return name.ends_with(".10.in-addr.arpa") ? "10.in-addr.arpa" : "";
    }
    bool is_private(std::string_view zone) const override { return zone == "a"; }
};

std::size_t word(std::span<const std::byte> bytes, std::size_t at) {
    return std::to_integer<std::size_t>(bytes[at]) << 8 | std::to_integer<std::size_t>(bytes[at + 1]);
}

/// What both sides must get right in any message that weft makes.
void check_made(const DnsMessage& message, std::size_t limit) {
    if (message.size() > limit) wrong("a message is larger than its limit");
    ldns_pkt* packet = nullptr;
    if (ldns_wire2pkt(&packet, reinterpret_cast<const std::uint8_t*>(message.data()), message.size()) != LDNS_STATUS_OK)
        wrong("a message cannot be read");
    ldns_pkt_free(packet);
}

void check_reply(const DnsMessage& message, std::size_t limit, std::span<const std::byte> query) {
    if (message.size() < 12 || message.size() > limit) wrong("a reply has a wrong size");
    if (word(message, 0) != word(query, 0)) wrong("a reply has another id");
    if ((word(message, 2) & 0x8000) == 0) wrong("a reply is none");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    const auto all = std::as_bytes(std::span(data, size)).subspan(3);
    const bool has_resolvers = (data[0] & 1) != 0;
    const std::size_t largest = (data[0] >> 1) * 12U;
    const std::size_t limit = std::clamp<std::size_t>(largest, 512, kDnsPayload);
    const auto query = all.first(std::min<std::size_t>(data[1] << 8 | data[2], all.size()));
    const auto response = all.subspan(query.size());

    const auto outcome = answer_dns(query, Names(), has_resolvers, largest);
    if (outcome.counted.empty()) wrong("an outcome is not counted");
    if (const auto* reply = std::get_if<DnsMessage>(&outcome.what)) {
        check_reply(*reply, limit, query);
        check_made(*reply, limit);
    }
    const auto* forward = std::get_if<DnsForward>(&outcome.what);
    if (!forward) return 0;
    if (!has_resolvers) wrong("a query is for a resolver that there is not");
    if (forward->limit < 512 || forward->limit > limit) wrong("a limit is none");
    check_made(forward->query, 512);
    const auto servfail = failed(*forward);
    check_reply(servfail, 512, query);
    check_made(servfail, 512);
    if (const auto reply = relayed(*forward, response)) check_reply(*reply, forward->limit, query);
    // The same as a response that is one at least.
    DnsMessage echoed = forward->query;
    echoed[2] |= std::byte{0x80};
    if (response.size() > 12) std::copy_n(response.begin() + 6, 6, echoed.begin() + 6);
    if (response.size() > 12) echoed.insert(echoed.end(), response.begin() + 12, response.end());
    if (const auto reply = relayed(*forward, echoed)) check_reply(*reply, forward->limit, query);
    return 0;
}
