// classify, a gateway's part: what other hosts route to it comes on its transit VNI. Only the active host takes it: one
// that translated although another lives would pull the gateway's MAC, and so everybody's answers, to itself. A
// candidate passes it on to the one before it that lives: the sender does not see that one, or not yet. Each time to an
// earlier one, so never in a circle.
#include "nat/groups.hpp"
#include "pipeline/fields.hpp"

namespace weft::nat {

using namespace pipeline;

namespace {
enum Priority : std::uint16_t { kKnown = 100 };
}

void classify_gateway(Sink& sink, const Gateway& gateway, const Site& here) {
    if (!here.is_candidate(gateway)) return;
    const Owner owner{Kind::gateway, gateway.id, {}};
    auto match =
        of::Match().set(kWayIn, static_cast<std::uint64_t>(WayIn::tunnel)).set(of::Field::tun_id, gateway.numbers.vni);
    auto group = gate(gateway, here, Gate::transit, {again_to(Stage::nat_out)},
                      [&](const Candidate& active) { return way_to(gateway, active); });
    if (!group) return sink.drop(Stage::classify, kKnown, owner, Reason::unknown_destination, std::move(match));
    sink.flow(Stage::classify, kKnown, owner, std::move(match),
              {load(kNetwork, gateway.id.value), of::Group{group->id}});
    sink.group(std::move(*group));
}

} // namespace weft::nat
