// A domain name as the labels of RFC 1035, 3.1, which DHCPv6 and router advertisements carry.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace weft::controller {

/// `name` ("a.example", without a dot at its end) as labels, uncompressed, ended by the root's. Empty for what is no
/// name there: an empty one, an empty label, a label over 63 bytes, more than 255 bytes in all. Which characters are in
/// it is not looked at.
inline std::vector<std::uint8_t> dns_labels(std::string_view name) {
    std::vector<std::uint8_t> labels;
    for (bool more = true; more;) {
        const auto dot = name.find('.');
        const auto label = name.substr(0, dot);
        if (label.empty() || label.size() > 63) return {};
        labels.push_back(static_cast<std::uint8_t>(label.size()));
        labels.insert(labels.end(), label.begin(), label.end());
        more = dot != std::string_view::npos;
        if (more) name.remove_prefix(dot + 1);
    }
    labels.push_back(0);
    if (labels.size() > 255) return {};
    return labels;
}

} // namespace weft::controller
