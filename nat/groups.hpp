// The fast-failover groups of a gateway on one host. Ids: gateway's number (24 bits) << 8 | which.
#pragma once
#include "nat/stages.hpp"
#include "openflow/flow.hpp"

#include <functional>
#include <optional>

namespace weft::nat {

enum class Gate : std::uint8_t {
    to_active = 0, ///< to the first live candidate, by tunnel or here
    answers = 1,   ///< go on in respond if this host is active, else drop
    wire = 2,      ///< go on in nat_in if this host is active, else drop
    local = 3,     ///< go on in nat_in if this host is active, else past it
    transit = 4,   ///< go on in nat_out if this host is active, else on to the one that is
};

inline std::uint32_t group_id(const Gateway& gateway, Gate gate) {
    return gateway.group_number << 8 | static_cast<std::uint32_t>(gate);
}

/// The select group of a router's SNAT ranges, where there are several. Nothing beyond 248 routers of a gateway.
inline std::optional<std::uint32_t> pool_group_id(const Gateway& gateway, const Served& router) {
    constexpr std::uint32_t kFirstPool = 8;
    const auto position = static_cast<std::uint32_t>(&router - gateway.routers.data());
    if (kFirstPool + position > 0xff) return std::nullopt;
    return gateway.group_number << 8 | (kFirstPool + position);
}

/// Where routed traffic goes: to the candidates in service, and after them, should none of these live, to those that
/// are ready. Nothing when no candidate can be watched.
std::optional<openflow::GroupEntry> to_active(const Gateway& gateway, const Site& here);

/// By tunnel to a candidate, which has a VTEP.
openflow::Actions to_candidate(const Gateway& gateway, const Candidate& candidate);

/// A gate on a candidate: `open` runs when no candidate before it lives; `shut`, made for the first that does,
/// otherwise. A candidate that is not ready has no way to be open: nothing.
std::optional<openflow::GroupEntry> gate(const Gateway& gateway, const Site& here, Gate which, openflow::Actions open,
                                         const std::function<openflow::Actions(const Candidate&)>& shut);

} // namespace weft::nat
