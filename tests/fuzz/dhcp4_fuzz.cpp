// A guest's bytes, as a frame and as the options of a message that is its own, asked of ports that are told much,
// little and nothing. What goes out is no larger than the port takes, is DHCP, and has nobody else's address in it.
#include "controller/dhcp4.hpp"
#include "controller/udp.hpp"

#include <algorithm>
#include <cstdint>
#include <tins/dhcp.h>

namespace {

using namespace weft;
using namespace weft::controller;

constexpr Mac kGuest{{0x52, 0x54, 0, 0, 1, 0x10}};

GuestConfig small() {
    return {.mac = kGuest,
            .server_mac = {{0x0a, 0, 0, 0, 0, 1}},
            .mtu = 328,
            .ip = Ip::v4(0x0a00010a),
            .server = Ip::v4(0x0a000101),
            .lease = std::chrono::seconds(1)};
}

GuestConfig rich(std::uint16_t mtu) {
    auto guest = small();
    guest.mtu = mtu;
    guest.subnet = Prefix{Ip::v4(0x0a000100), 24};
    guest.router = guest.server;
    for (int i = 0; i < 70; ++i)
        guest.routes.push_back({{Ip::v4(0x0a100000U + static_cast<std::uint32_t>(i << 8)), i % 33}, *guest.router});
    guest.dns = {Ip::v4(0x09090909), Ip::v6({0xfd}), Ip::v4(0x01010101)};
    guest.ntp = guest.dns;
    guest.domain = "blue.example";
    guest.host_name = "vm1";
    guest.lease = std::chrono::hours(1);
    return guest;
}

void require(bool holds) {
    if (!holds) __builtin_trap();
}

std::span<const std::uint8_t> octets(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

void ask(std::span<const std::byte> frame, const GuestConfig& guest) {
    const auto exchange = answer_dhcp4(frame, guest);
    require(exchange.answer.has_value() == !exchange.answered.empty());
    require(exchange.host_name.size() <= 63);
    require(!exchange.address || exchange.address == guest.ip);
    if (!exchange.answer) return;
    require(guest.ip.has_value() && !exchange.asked.empty());
    require(exchange.answer->size() <= 14U + guest.mtu);
    const auto found = datagram(*exchange.answer);
    require(found.has_value());
    const auto payload = octets(found->payload);
    require(payload.size() >= 300);
    const Tins::DHCP message(payload.data(), static_cast<std::uint32_t>(payload.size())); // throws
    require(message.opcode() == Tins::BootP::BOOTREPLY);
    const auto yiaddr = message.yiaddr();
    require(yiaddr == "0.0.0.0" || yiaddr.to_string() == guest.ip->to_string());
    require((exchange.lease == Exchange::Lease::bound) == (message.type() == Tins::DHCP::ACK && yiaddr != "0.0.0.0"));
    const auto asked = datagram(frame);
    const auto request = octets(asked->payload);
    require(std::equal(request.begin() + 4, request.begin() + 8, payload.begin() + 4));
}

/// All of a message of the guest's but its options.
Frame with_options(std::span<const std::byte> options) {
    std::vector<std::byte> payload(240);
    payload[0] = payload[1] = std::byte{1};
    payload[2] = std::byte{6};
    std::ranges::transform(kGuest.bytes, payload.begin() + 28, [](auto octet) { return std::byte{octet}; });
    constexpr std::uint8_t kCookie[] = {0x63, 0x82, 0x53, 0x63};
    std::ranges::transform(kCookie, payload.begin() + 236, [](auto octet) { return std::byte{octet}; });
    payload.insert(payload.end(), options.begin(), options.end());
    return udp_frame({kGuest, {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, Ip::v4(0), Ip::v4(0xffffffff), 68, 67, payload});
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const GuestConfig kGuests[] = {small(), rich(576), rich(1500), {.mac = kGuest}};
    const auto bytes = std::as_bytes(std::span(data, size));
    for (const auto& guest : kGuests)
        ask(bytes, guest);
    if (size > 60'000) return 0; // no frame is that long
    const auto message = with_options(bytes);
    for (const auto& guest : kGuests)
        ask(message, guest);
    return 0;
}
