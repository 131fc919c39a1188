#include "controller/name_service.hpp"

#include "controller/tcp_reset.hpp"

#include <algorithm>

namespace weft::controller {
namespace {

constexpr std::uint16_t kDns = 53;
constexpr std::size_t kHeadersV4 = 20 + 8, kHeadersV6 = 40 + 8; ///< IP's and UDP's

/// The way back of a datagram.
Datagram reply_to(const Datagram& question) {
    return {question.destination_mac,
            question.source_mac,
            question.destination,
            question.source,
            question.destination_port,
            question.source_port,
            {}};
}

Frame framed(Datagram reply, const DnsMessage& message) {
    reply.payload = message;
    return udp_frame(reply);
}

} // namespace

std::vector<Ip> NameService::resolvers_of(const fabric::NetworkView& network) const {
    std::vector<Ip> resolvers;
    const auto found = world_->topology->networks.find(network.core.name);
    if (found != world_->topology->networks.end() && found->second.dhcp)
        std::ranges::copy_if(found->second.dhcp->dns, std::back_inserter(resolvers),
                             [&](const Ip& ip) { return !network.core.own_mac(ip); });
    return resolvers.empty() ? resolvers_ : resolvers;
}

const NetworkNames& NameService::names_in(const std::string& network) {
    if (!directory_ || topology_ != world_->topology || known_version_ != version_()) {
        topology_ = world_->topology;
        known_version_ = version_();
        names_.clear();
        directory_.emplace(addresses_());
    }
    const auto known = names_.find(network);
    if (known != names_.end()) return known->second;
    return names_.try_emplace(network, *topology_, *directory_, network).first->second;
}

std::optional<NameService::Answer> NameService::answer(const Question& question) {
    if (auto reset = tcp_reset(question.frame)) return Answer{"tcp_refused", std::move(reset)};
    if (!question.udp || question.udp->destination_port != kDns || !world_) return std::nullopt;
    const auto& asked = *question.udp;
    const auto resolvers = resolvers_of(question.network);
    const auto& names = names_in(question.network.core.name);
    const auto headers = asked.source.is_v4() ? kHeadersV4 : kHeadersV6;
    const std::size_t mtu = question.network.core.mtu;
    auto outcome = answer_dns(asked.payload, names, !resolvers.empty(), mtu > headers ? mtu - headers : 0);
    Answer answer{outcome.counted, {}};
    const auto back = reply_to(asked);
    if (const auto* message = std::get_if<DnsMessage>(&outcome.what)) answer.frame = framed(back, *message);
    if (auto* forward = std::get_if<DnsForward>(&outcome.what))
        forwarder_.forward(question.attachment.port, resolvers, std::move(*forward),
                           [this, back, host = question.host, network = question.network.core.id,
                            attachment = question.attachment.id](const DnsMessage& message) {
                               send_(host, to_attachment(network, attachment, framed(back, message)));
                           });
    return answer;
}

} // namespace weft::controller
