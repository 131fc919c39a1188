#include "topology/pool.hpp"

#include "base/ids.hpp"

#include <algorithm>

namespace weft::topology {

Pool::Pool(const AddressRange& range, const std::vector<AddressRange>& excluded) {
    std::vector<AddressRange> holes;
    std::ranges::copy_if(excluded, std::back_inserter(holes), [&](const auto& hole) { return hole.overlaps(range); });
    std::ranges::sort(holes);
    // 64 bits: the address after 255.255.255.255 must not wrap.
    std::uint64_t next = range.first.v4();
    const std::uint64_t end = std::uint64_t{range.last.v4()} + 1;
    const auto add = [&](std::uint64_t first, std::uint64_t past) {
        if (first >= past) return;
        spans_.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(past - 1)});
        size_ += past - first;
    };
    for (const auto& hole : holes) {
        add(next, std::min<std::uint64_t>(hole.first.v4(), end));
        next = std::max(next, std::uint64_t{hole.last.v4()} + 1);
    }
    add(next, end);
}

bool Pool::offers(const Ip& ip) const {
    if (ip.is_v6()) return false;
    return std::ranges::any_of(
        spans_, [value = ip.v4()](const Span& span) { return span.first <= value && value <= span.last; });
}

bool Pool::take(const Ip& ip) {
    const bool fresh = taken_.insert(ip).second;
    if (fresh && offers(ip)) ++used_;
    return fresh;
}

std::optional<Ip> Pool::take_for(std::string_view name) {
    if (used_ >= size_) return std::nullopt;
    auto index = content_hash(name) % size_;
    auto span = spans_.begin();
    while (index > span->last - span->first) {
        index -= std::uint64_t{span->last} - span->first + 1;
        ++span;
    }
    auto value = static_cast<std::uint32_t>(span->first + index);
    while (!take(Ip::v4(value))) {
        if (value != span->last) {
            ++value;
            continue;
        }
        if (++span == spans_.end()) span = spans_.begin();
        value = span->first;
    }
    return Ip::v4(value);
}

} // namespace weft::topology
