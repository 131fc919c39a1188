// track and commit, a gateway's part: what came in by it and is for a port elsewhere is not tracked here; what is
// routed to it goes to its active host, after its connection is committed in the router's zone.
#include "nat/groups.hpp"
#include "pipeline/fields.hpp"
#include "pipeline/punt.hpp"

namespace weft::nat {

using namespace pipeline;

namespace {
enum Priority : std::uint16_t { kPast = 315, kNobody = 90, kActive = 100, kHere = 150 };
}

void track_gateway(Sink& sink, const Gateway& gateway, const Site& here) {
    if (!here.translating) return;
    sink.flow(Stage::track, kPast, {Kind::gateway, gateway.id, {}}, of::Match().set(kRouter, gateway.id.value),
              {go_to(Stage::route)});
}

void commit_gateway(Sink& sink, const Gateway& gateway, const Site& here) {
    const Owner owner{Kind::gateway, gateway.id, {}};
    const auto to_gateway = [&gateway] { return of::Match().metadata(gateway.id.value); };
    auto group = to_active(gateway, here);
    if (group)
        sink.flow(Stage::commit, kActive, owner, to_gateway(), {of::Group{group_id(gateway, Gate::to_active)}});
    else
        sink.drop(Stage::commit, kNobody, owner, Reason::no_neighbour, to_gateway(), {punt(Punt::no_neighbour)});
    if (group) sink.group(std::move(*group));
    if (here.uplink == 0) return;
    for (const auto* floating : translated_by(gateway, here.host))
        sink.flow(Stage::commit, kHere, {Kind::floating_ip, floating->id, {}}, to_gateway().ip_src(floating->inside),
                  {go_to(Stage::nat_out)});
}

} // namespace weft::nat
