#include "topology/model.hpp"

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

std::string PortForward::name() const {
    return fmt::format("{}:{}:{}", address.to_string(), protocol.to_string(), ports.to_string());
}

} // namespace weft::topology
