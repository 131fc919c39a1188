// What a guest may send to the DHCPv6 server and to the router. The first byte: bit 0 chooses the router, bits 1 to 3
// what the guest is told, and with bit 7 the rest is a whole frame, else the UDP payload or the ICMPv6 message in a
// frame that is right, so that options are reached.
#include "controller/dhcp6.hpp"
#include "controller/router_advertisement.hpp"
#include "controller/udp.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

using namespace weft;
using namespace weft::controller;

void expect(bool sound, const char* what) {
    if (sound) return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

const Mac kGuest{{0x52, 0x54, 0, 0, 1, 0x10}};

GuestConfig guest(unsigned choice) {
    GuestConfig config;
    config.mac = kGuest;
    config.server_mac = {{0x0a, 0, 0, 0, 0, 1}};
    config.mtu = (choice & 2) != 0 ? 1280 : 1500;
    if ((choice & 4) == 0) config.ip6 = Ip::parse("fd00:1::10");
    config.subnet6 = Prefix::parse("fd00:1::/64");
    config.managed6 = (choice & 8) != 0;
    config.router6 = true;
    config.dns = config.ntp = {*Ip::parse("fd00::53"), *Ip::parse("10.0.0.53")};
    config.domain = "lab.example";
    if (config.managed6) config.host_name = "web";
    config.lease = std::chrono::hours(1);
    return config;
}

Frame dhcp_frame(std::span<const std::byte> payload) {
    return udp_frame(
        {kGuest, {{0x33, 0x33, 0, 1, 0, 2}}, Ip::link_local(kGuest), *Ip::parse("ff02::1:2"), 546, 547, payload});
}

Frame icmp_frame(std::span<const std::byte> message) {
    // A datagram's frame has the headers; its UDP is replaced.
    auto frame = dhcp_frame({});
    frame.resize(14 + 40);
    frame[18] = static_cast<std::byte>(message.size() >> 8);
    frame[19] = static_cast<std::byte>(message.size());
    frame[20] = std::byte{58};
    frame[21] = std::byte{255};
    frame.insert(frame.end(), message.begin(), message.end());
    return frame;
}

void look_at(const Exchange& got, const GuestConfig& config) {
    expect(got.answer.has_value() == !got.answered.empty(), "an answer without its name, or a name without an answer");
    expect(!got.answer || !got.asked.empty(), "nobody asked");
    expect(!got.answer || got.answer->size() <= 14U + config.mtu, "larger than the MTU");
    expect(got.host_name.size() <= 63, "a name too long");
    expect(got.lease != Exchange::Lease::bound || (got.answer && got.address && got.address == config.ip6),
           "bound to another address than the port's");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > 60000) return 0;
    const unsigned choice = data[0];
    const auto rest = std::as_bytes(std::span(data, size)).subspan(1);
    const auto config = guest(choice);
    const bool whole = (choice & 0x80) != 0;
    if ((choice & 1) != 0) {
        const auto got =
            whole ? answer_router_solicitation(rest, config) : answer_router_solicitation(icmp_frame(rest), config);
        look_at(got, config);
    } else {
        const auto got = whole ? answer_dhcp6(rest, config) : answer_dhcp6(dhcp_frame(rest), config);
        look_at(got, config);
    }
    return 0;
}
