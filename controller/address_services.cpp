#include "controller/address_services.hpp"

#include "controller/dhcp4.hpp"
#include "controller/dhcp6.hpp"
#include "controller/punted.hpp"
#include "controller/router_advertisement.hpp"
#include "controller/udp.hpp"
#include "pipeline/fields.hpp"

#include <fmt/format.h>

namespace weft::controller {
namespace {

using namespace pipeline;

constexpr std::uint16_t kDhcpServer = 67, kDhcp6Server = 547, kDns = 53;

} // namespace

const AddressServices::Members* AddressServices::members_of(std::uint64_t id, const fabric::HostView& host) {
    auto& members = members_[id];
    const auto is = [id](const fabric::NetworkPtr& network) { return network && network->core.id.value == id; };
    if (is(members.of)) {
        const auto found = host.networks.find(members.of->core.name);
        if (found == host.networks.end()) return nullptr;
        if (found->second == members.of) return &members;
    }
    for (const auto& [_, network] : host.networks) {
        if (!is(network)) continue;
        members = {network, {}};
        for (const auto& [port, member] : network->bound)
            members.by_id.emplace(member->id.value, member);
        return &members;
    }
    members_.erase(id);
    return nullptr;
}

std::vector<openflow::PacketOut> AddressServices::answer(const openflow::PacketIn& packet,
                                                         const fabric::HostView& host) {
    const auto* members = members_of(value_of(packet, kNetwork), host);
    if (members == nullptr || !world_) return {};
    const auto asker = members->by_id.find(source_of(packet));
    if (asker == members->by_id.end()) return {};
    const auto network = members->of; // whatever is published meanwhile
    const auto attachment = asker->second;
    const auto guest = guest_config(*world_, *network, *attachment);
    if (!guest) return {};
    const auto reply = [&](Frame frame) -> std::vector<openflow::PacketOut> {
        return {to_attachment(network->core.id, attachment->id, std::move(frame))};
    };
    const auto udp = datagram(packet.packet);
    const auto port = udp ? udp->destination_port : 0;
    Exchange exchange;
    std::string_view protocol = "ra";
    if (port == kDhcpServer) {
        protocol = "dhcp";
        exchange = answer_dhcp4(packet.packet, *guest);
    } else if (port == kDhcp6Server) {
        protocol = "dhcpv6";
        exchange = answer_dhcp6(packet.packet, *guest);
    } else if (port == kDns || !udp) {
        const NameService::Question question{packet.packet, udp, host.name, *network, *attachment};
        if (auto named = names_.answer(question)) {
            count(guest->network, "dns", named->counted);
            if (named->frame) return reply(std::move(*named->frame));
            return {};
        }
        exchange = answer_router_solicitation(packet.packet, *guest);
    }
    count(guest->network, protocol, exchange.asked.empty() ? "ignored" : exchange.asked);
    if (!exchange.answered.empty()) count(guest->network, protocol, exchange.answered);
    if (exchange.lease != Exchange::Lease::none) tell(exchange, *guest, host.name, port == kDhcp6Server);
    if (exchange.answer) return reply(std::move(*exchange.answer));
    return {};
}

void AddressServices::tell(const Exchange& exchange, const GuestConfig& guest, const std::string& host, bool v6) {
    if (exchange.lease != Exchange::Lease::refused) return note_({host, guest, exchange, v6});
    if (refusals_.allows(guest.port, SteadyClock::now()))
        voice_.say(LogLevel::info, "lease_refused", host, "port " + guest.port, exchange.reason);
}

} // namespace weft::controller
