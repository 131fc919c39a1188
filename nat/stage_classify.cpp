// classify, a gateway's part: what other hosts route to it comes on its transit VNI. Only the active host takes it: one
// that translated although another lives would pull the gateway's MAC, and so everybody's answers, to itself. A
// candidate passes it on to the one before it that lives: the sender does not see that one, or not yet. What comes from
// an earlier candidate it takes: that one does not take itself for active, and while switches have different orders of
// `hosts`, passing on might go in a circle.
#include "nat/groups.hpp"
#include "pipeline/fields.hpp"

namespace weft::nat {

using namespace pipeline;

namespace {
enum Priority : std::uint16_t { kKnown = 100, kEarlier = 110 };
}

void classify_gateway(Sink& sink, const Gateway& gateway, const Site& here) {
    if (!here.is_candidate(gateway)) return;
    const Owner owner{Kind::gateway, gateway.id, {}};
    const auto match =
        of::Match().set(kWayIn, static_cast<std::uint64_t>(WayIn::tunnel)).set(of::Field::tun_id, gateway.numbers.vni);
    auto group = gate(gateway, here, Gate::transit, {again_to(Stage::nat_out)},
                      [&](const Candidate& active) { return to_candidate(gateway, active); });
    if (!group) return sink.drop(Stage::classify, kKnown, owner, Reason::unknown_destination, match);
    sink.flow(Stage::classify, kKnown, owner, match, {load(kNetwork, gateway.id.value), of::Group{group->id}});
    for (const auto& earlier : gateway.candidates) {
        if (earlier.host == here.host) break;
        if (!earlier.vtep) continue;
        const auto from = earlier.vtep->is_v6() ? of::Field::tun_ipv6_src : of::Field::tun_src;
        sink.flow(Stage::classify, kEarlier, owner, of::Match(match).set(from, of::bits(*earlier.vtep)),
                  {load(kNetwork, gateway.id.value), again_to(Stage::nat_out)});
    }
    sink.group(std::move(*group));
}

} // namespace weft::nat
