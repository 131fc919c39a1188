#include "ovsdb/uuid.hpp"

namespace weft::ovsdb {
namespace {

constexpr std::size_t kTextSize = 36;

constexpr bool is_dash(std::size_t position) {
    return position == 8 || position == 13 || position == 18 || position == 23;
}

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

} // namespace

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != kTextSize) return {};
    Uuid uuid;
    std::size_t nibble = 0;
    for (std::size_t i = 0; i < kTextSize; ++i) {
        if (is_dash(i)) {
            if (text[i] != '-') return {};
            continue;
        }
        const int value = hex_value(text[i]);
        if (value < 0) return {};
        auto& byte = uuid.bytes[nibble++ / 2];
        byte = static_cast<std::uint8_t>((byte << 4) | value);
    }
    return uuid;
}

std::string Uuid::to_string() const {
    std::string text;
    text.reserve(kTextSize);
    for (const auto byte : bytes) {
        if (is_dash(text.size())) text += '-';
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

} // namespace weft::ovsdb
