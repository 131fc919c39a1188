#include "topology/pool.hpp"

#include "base/ids.hpp"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

namespace weft::topology {

Pool::Pool(const AddressRange& range, const std::vector<AddressRange>& excluded) : v6_(range.first.is_v6()) {
    std::vector<AddressRange> holes;
    std::ranges::copy_if(excluded, std::back_inserter(holes), [&](const auto& hole) { return hole.overlaps(range); });
    std::ranges::sort(holes);
    auto next = number(range.first);
    const auto last = number(range.last);
    const auto add = [&](Number first, Number before) {
        if (first >= before) return;
        spans_.push_back({first, before - 1});
        size_ += before - first;
    };
    // Nothing is added behind the family's last address, so `last + 1` is never asked for where it would wrap: the
    // network's last address is excluded always.
    for (const auto& hole : holes) {
        add(next, std::min(number(hole.first), last));
        if (number(hole.last) >= last) return;
        next = std::max(next, number(hole.last) + 1);
    }
    add(next, last + 1);
}

Pool::Number Pool::number(const Ip& ip) const {
    Number result = 0;
    for (const auto byte : ip.bytes())
        result = result << 8 | byte;
    return result;
}

Ip Pool::address(Number number) const {
    if (!v6_) return Ip::v4(static_cast<std::uint32_t>(number));
    std::array<std::uint8_t, 16> bytes{};
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, number >>= 8)
        *byte = static_cast<std::uint8_t>(number);
    return Ip::v6(bytes);
}

bool Pool::offers(const Ip& ip) const {
    if (ip.is_v6() != v6_) return false;
    return std::ranges::any_of(
        spans_, [value = number(ip)](const Span& span) { return span.first <= value && value <= span.last; });
}

bool Pool::take(const Ip& ip) {
    const bool fresh = taken_.insert(ip).second;
    if (fresh && offers(ip)) ++used_;
    return fresh;
}

void Pool::give_back(const Ip& ip) {
    if (taken_.erase(ip) > 0 && offers(ip)) --used_;
}

std::optional<Ip> Pool::take_for(std::string_view name) {
    if (used_ >= size_) return std::nullopt;
    auto index = static_cast<Number>(content_hash(name)) % size_;
    auto span = spans_.begin();
    while (index > span->last - span->first) {
        index -= span->last - span->first + 1;
        ++span;
    }
    auto value = span->first + index;
    while (!take(address(value))) {
        if (value != span->last) {
            ++value;
            continue;
        }
        if (++span == spans_.end()) span = spans_.begin();
        value = span->first;
    }
    return address(value);
}

std::string Pool::size() const {
    if (size_ < Number{1} << 32) return fmt::format("{}", static_cast<std::uint64_t>(size_));
    const auto high = static_cast<std::uint64_t>(size_ >> 64);
    const auto low = static_cast<std::uint64_t>(size_);
    return fmt::format("2^{}", (high != 0 ? 64 + std::bit_width(high) : std::bit_width(low)) - 1);
}

} // namespace weft::topology
