#include "fabric/special.hpp"

#include <algorithm>
#include <limits>

namespace weft::fabric {
namespace {

of::Match udp(of::Match match, std::uint16_t from, std::uint16_t to) {
    return std::move(match.udp().set(of::Field::udp_src, from).set(of::Field::udp_dst, to));
}

void append(std::vector<of::Match>& all, std::vector<of::Match> more) {
    for (auto& match : more)
        all.push_back(std::move(match));
}

} // namespace

of::Match both(of::Match match, const of::Match& other) {
    for (const auto& field : other.fields())
        match.set(field.field, field.value, field.mask);
    return match;
}

std::vector<of::Match> discovery() {
    std::vector<of::Match> all;
    for (const auto type : {130, 131, 132, 133, 134, 135, 136, 137, 143})
        all.push_back(of::Match().icmpv6(static_cast<std::uint8_t>(type)));
    return all;
}

std::vector<of::Match> dhcp_requests() {
    return {udp(of::Match().ipv4(), 68, 67), udp(of::Match().ipv6(), 546, 547)};
}

std::vector<of::Match> dhcp_answers() {
    return {udp(of::Match().ipv4(), 67, 68), udp(of::Match().ipv6(), 547, 546)};
}

std::vector<of::Match> address_questions(bool ip4, bool ip6) {
    std::vector<of::Match> all;
    if (ip4) all.push_back(udp(of::Match().ipv4(), 68, 67));
    if (ip6) all.push_back(udp(of::Match().ipv6(), 546, 547));
    return all;
}

of::Match router_solicitation() {
    return of::Match().icmpv6(133);
}

std::vector<of::Match> never_tracked() {
    std::vector<of::Match> all{of::Match().arp()};
    append(all, discovery());
    append(all, dhcp_requests());
    append(all, dhcp_answers());
    return all;
}

of::MeterEntry rate_meter(std::uint32_t id, const topology::Rate& rate) {
    const auto kilo = [](std::uint64_t bits) {
        constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
        return static_cast<std::uint32_t>(std::clamp<std::uint64_t>((bits + 500) / 1000, 1, kMost));
    };
    return {.id = id, .packets = false, .rate = kilo(rate.bits_per_second), .burst = kilo(rate.burst_bits)};
}

} // namespace weft::fabric
