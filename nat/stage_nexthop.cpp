// nexthop, a gateway's part: what is routed to the gateway goes to its active host.
#include "nat/groups.hpp"
#include "pipeline/fields.hpp"
#include "pipeline/punt.hpp"

namespace weft::nat {

using namespace pipeline;

namespace {
enum Priority : std::uint16_t { kNobody = 90, kActive = 100, kHere = 150 };
}

void nexthop_gateway(Sink& sink, const Gateway& gateway, const Site& here) {
    const Owner owner{Kind::gateway, gateway.id, {}};
    const auto to_gateway = [&gateway] { return of::Match().metadata(gateway.id.value); };
    auto group = to_active(gateway, here);
    for (const auto type : {of::eth_type::kIpv4, of::eth_type::kIpv6}) {
        auto match = to_gateway().eth_type(type);
        if (group)
            sink.flow(Stage::nexthop, kActive, owner, std::move(match),
                      {of::set_field(of::Field::eth_dst, gateway.mac), of::DecTtl{},
                       of::Group{group_id(gateway, Gate::to_active)}});
        else
            sink.drop(Stage::nexthop, kNobody, owner, Reason::no_neighbour, std::move(match),
                      {punt(Punt::no_neighbour)});
    }
    if (group) sink.group(std::move(*group));
    if (here.uplink == 0) return;
    for (const auto* floating : translated_by(gateway, here.host))
        sink.flow(Stage::nexthop, kHere, {Kind::floating_ip, floating->id, {}}, to_gateway().ip_src(floating->inside),
                  {of::DecTtl{}, go_to(Stage::nat_out)});
}

} // namespace weft::nat
