// commit: a connection that the groups of this host allow is remembered with the policy that allowed it. Its packets
// pass the groups from then on, until the policy is another: then they are judged and committed again. A later fragment
// waits in the connection tracker until its first one, which was judged, is committed too.
#include "fabric/stages.hpp"

namespace weft::fabric {
namespace {
enum Priority : std::uint16_t { kMiss = 0, kBesideGateway = 150, kPending = 200 };
}

void commit_host(Emit& emit) {
    emit.flow(Stage::commit, kMiss, owner_of(emit.host), {}, {go_to(Stage::output)});
}

void commit_zone(Emit& emit, const ZoneView& zone) {
    const of::Ct commit{.commit = true, .zone = zone.number, .exec = {of::set_field(of::Field::ct_mark, zone.policy)}};
    for (const auto family : {of::eth_type::kIpv4, of::eth_type::kIpv6}) {
        const auto pending = [&] { return with(of::Match().eth_type(family), Verdict::pending, zone.number); };
        emit.flow(Stage::commit, kPending, owner_of(zone), pending(),
                  {commit, load(Verdict::established), again_to(Stage::commit)});
        // A port beside a gateway: judged, committed, and now to be translated like what comes from the wire.
        for (const auto& network : zone.networks)
            for (const auto& mac : network.public_macs)
                for (const auto verdict : {Verdict::pending, Verdict::established}) {
                    of::Actions actions{load(Verdict::untracked), load(kSource, 0), again_to(Stage::nat_in)};
                    if (verdict == Verdict::pending) actions.insert(actions.begin(), commit);
                    emit.flow(Stage::switching, kBesideGateway, owner_of(zone),
                              with(of::Match()
                                       .metadata(network.id.value)
                                       .set(kWayIn, static_cast<std::uint64_t>(WayIn::local))
                                       .eth_dst(mac)
                                       .eth_type(family),
                                   verdict, zone.number),
                              std::move(actions));
                }
    }
}

} // namespace weft::fabric
