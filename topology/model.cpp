#include "topology/model.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::topology {

std::string Origin::to_string() const {
    return fmt::format("{}:{}:{}", file, line, column);
}

Origin Origin::at(std::string_view key) const {
    if (keys) {
        if (const auto place = keys->find(key); place != keys->end())
            return {file, place->second.line, place->second.column, nullptr};
    }
    return *this;
}

bool Origin::wrote(std::string_view key) const {
    return keys && keys->contains(key);
}

bool Origin::malformed(std::string_view key) const {
    if (!keys) return false;
    const auto place = keys->find(key);
    return place != keys->end() && place->second.malformed;
}

std::string PortRange::to_string() const {
    return first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
}

std::string AddressRange::to_string() const {
    return first == last ? first.to_string() : fmt::format("{}-{}", first.to_string(), last.to_string());
}

std::string Protocol::to_string() const {
    if (kind == Class::any) return "any";
    if (kind == Class::icmp) return "icmp";
    switch (number) {
    case 6:
        return "tcp";
    case 17:
        return "udp";
    case 132:
        return "sctp";
    default:
        return fmt::format("{}", number);
    }
}

namespace {

/// What an ACL entry and a security rule have in common. Two that say the same have the same text.
template <class Rule>
std::string text_of(const Rule& rule) {
    const bool ingress = rule.direction == Direction::ingress;
    auto text = fmt::format("{} {}", ingress ? "ingress" : "egress", rule.protocol.to_string());
    std::string_view separator = " ";
    auto ports = rule.ports;
    std::ranges::sort(ports);
    for (const auto& range : ports) {
        text += fmt::format("{}{}", separator, range.to_string());
        separator = ",";
    }
    if (rule.family != Family::any) text += rule.family == Family::ipv4 ? " ipv4" : " ipv6";
    if (rule.remote) text += fmt::format(" {} {}", ingress ? "from" : "to", rule.remote->to_string());
    return text;
}

} // namespace

std::string AclEntry::to_string() const {
    return fmt::format("{} {}", allow ? "allow" : "deny", text_of(*this));
}

std::string SecurityRule::to_string() const {
    auto text = text_of(*this);
    if (!remote_group.empty())
        text += fmt::format(" {} group {}", direction == Direction::ingress ? "from" : "to", remote_group);
    return text;
}

std::string PortForward::name() const {
    return fmt::format("{}:{}:{}", address.to_string(), protocol.to_string(), ports.to_string());
}

} // namespace weft::topology
