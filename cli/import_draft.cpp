#include "cli/import_draft.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weft::cli {
namespace {

constexpr std::size_t kLongestName = 63;

bool alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// The length of the UTF-8 character that `text` begins with; 0 if it is none (RFC 3629).
std::size_t character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xc2 && first < 0xe0   ? 2
                               : (first & 0xf0) == 0xe0        ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0) != 0x80) return 0;
    // Longer than need be, a surrogate, or beyond the last character.
    if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0)) return 0;
    if ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90)) return 0;
    return length;
}

} // namespace

std::string legal_name(std::string_view text) {
    std::string name;
    for (const char c : text) {
        const bool legal = alphanumeric(c) || (!name.empty() && (c == '.' || c == '_' || c == '-'));
        if (legal)
            name += c;
        else if (!name.empty() && name.back() != '-')
            name += '-';
    }
    name.resize(std::min(name.size(), kLongestName));
    while (name.ends_with('-') && !text.ends_with('-'))
        name.pop_back();
    return name.empty() ? "unnamed" : name;
}

std::string Names::take(const std::string& kind, const std::string& wanted) {
    auto& taken = taken_[kind];
    const auto legal = legal_name(wanted);
    auto name = legal;
    for (int n = 2; !taken.insert(name).second; ++n) {
        const auto suffix = fmt::format("-{}", n);
        name = legal.substr(0, kLongestName - suffix.size()) + suffix;
    }
    if (name != wanted) lost_.push_back(fmt::format("{} '{}' is named '{}' here", kind, clean(wanted), name));
    return name;
}

std::string clean(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const auto length = character(text);
        const auto first = static_cast<unsigned char>(text.front());
        // C1 controls (U+0080 to U+009F) steer terminals too.
        const bool control =
            first < 0x20 || first == 0x7f || (first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0);
        if (length == 0 || control)
            result += '?';
        else
            result += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return result;
}

} // namespace weft::cli
