// Uuid: the name of an OVSDB row, as a value. Text form per RFC 4122, lower case.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::ovsdb {

struct Uuid {
    std::array<std::uint8_t, 16> bytes{};
    auto operator<=>(const Uuid&) const = default;

    /// 8-4-4-4-12 hex digits; nothing else.
    static std::optional<Uuid> parse(std::string_view text);
    std::string to_string() const;
};

} // namespace weft::ovsdb
