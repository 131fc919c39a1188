#include "controller/lease_book.hpp"

#include <fmt/format.h>

namespace weft::controller {
namespace {

std::string_view protocol_of(bool v6) {
    return v6 ? "DHCPv6" : "DHCP";
}

} // namespace

std::string short_duration(std::chrono::seconds duration) {
    const auto seconds = duration.count();
    if (seconds % 86400 == 0) return fmt::format("{}d", seconds / 86400);
    if (seconds % 3600 == 0) return fmt::format("{}h", seconds / 3600);
    if (seconds % 60 == 0) return fmt::format("{}min", seconds / 60);
    return fmt::format("{}s", seconds);
}

void LeaseBook::note(const LeaseNews& news) {
    const auto& guest = news.guest;
    const topology::AttachmentKey key{guest.port, guest.network};
    const auto object = "port " + guest.port;
    if (!news.exchange.address) return;
    const auto ip = *news.exchange.address;
    const auto& leases = intent_.state().leases;
    const auto known = leases.find(key);
    const auto before = known == leases.end() ? std::nullopt : news.v6 ? known->second.ip6 : known->second.ip;
    const auto time = now();
    const bool renewed =
        news.exchange.lease == Exchange::Lease::bound && before && before->ip == ip && before->until >= time;
    const bool told = !renewed && seldom_.allows(key, SteadyClock::now());
    const auto say = [&](LogLevel level, const std::string& kind, const std::string& text) {
        if (told) voice_.say(level, kind, news.host, object, text);
    };
    switch (news.exchange.lease) {
    case Exchange::Lease::bound: {
        intent_.note_lease(
            key, news.v6, Lease{ip, renewed ? before->since : time, time + guest.lease, news.exchange.host_name}, told);
        const auto calls =
            news.exchange.host_name.empty() ? "" : fmt::format(", calls itself {}", news.exchange.host_name);
        return say(LogLevel::info, "lease",
                   fmt::format("has {} by {} in network {} for {}{}", ip.to_string(), protocol_of(news.v6),
                               guest.network, short_duration(guest.lease), calls));
    }
    case Exchange::Lease::released:
        if (!before) return;
        intent_.note_lease(key, news.v6, std::nullopt, told);
        return say(LogLevel::info, "lease_released",
                   fmt::format("gave back {} in network {}", ip.to_string(), guest.network));
    case Exchange::Lease::declined:
        if (before) intent_.note_lease(key, news.v6, std::nullopt, told);
        if (intent_.decline(key, ip))
            return say(LogLevel::warning, "lease_declined",
                       fmt::format("found {} in use by somebody else in network {}: it has another address now; "
                                   "reserve {} if that is right",
                                   ip.to_string(), guest.network, ip.to_string()));
        return say(LogLevel::warning, "lease_declined",
                   fmt::format("found {} in use by somebody else in network {}, and it stays the port's: find who "
                               "else has it, or write another",
                               ip.to_string(), guest.network));
    case Exchange::Lease::none:
    case Exchange::Lease::refused:
        return;
    }
}

} // namespace weft::controller
