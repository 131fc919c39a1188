// commit: a connection that the groups of this host allow is remembered with the policy that allowed it. Its packets
// pass the groups from then on, until the policy is another: then they are judged and committed again. A later fragment
// waits in the connection tracker until its first one, which was judged, is committed too.
#include "fabric/special.hpp"
#include "fabric/stages.hpp"

namespace weft::fabric {
namespace {
enum Priority : std::uint16_t {
    kMiss = 0,
    kBesideGateway = 150, // in switch
    kPending = 200,
    kAstray = 205,
    kJudged = 210,
    kMulticast = 220,
};
}

void commit_host(Emit& emit) {
    emit.flow(Stage::commit, kMiss, owner_of(emit.host), {}, {go_to(Stage::output)});
}

void commit_zone(Emit& emit, const ZoneView& zone) {
    const of::Ct commit{.commit = true, .zone = zone.number, .exec = {of::set_field(of::Field::ct_mark, zone.policy)}};
    for (const auto family : {of::eth_type::kIpv4, of::eth_type::kIpv6}) {
        const auto at = [&](Verdict verdict) { return with(of::Match().eth_type(family), verdict, zone.number); };
        const of::Actions pass{load(Verdict::established), again_to(Stage::commit)};
        of::Actions remember{commit};
        of::append(remember, pass);
        for (const auto verdict : {Verdict::pending, Verdict::allowed, Verdict::judged})
            emit.flow(Stage::commit, kPending, owner_of(zone), at(verdict), remember);
        // What is remembered passes the groups of both ends. So nothing is that the groups of its address's port have
        // not judged: neither a packet to many, nor one that goes astray by its MAC.
        for (const auto verdict : {Verdict::allowed, Verdict::pending})
            emit.flow(Stage::commit, kMulticast, owner_of(zone), at(verdict).multicast(true), pass);
        for (const auto& port : zone.ports)
            for (const auto& ip : port.ips) {
                if (!port.grouped || ip.is_v6() != (family == of::eth_type::kIpv6)) continue;
                const auto for_port = [&](Verdict verdict) { return std::move(at(verdict).ip_dst(ip)); };
                emit.flow(Stage::commit, kJudged, owner_of(zone),
                          for_port(Verdict::allowed).set(kDestination, port.id.value),
                          {load(Verdict::judged), again_to(Stage::commit)});
                emit.flow(Stage::commit, kAstray, owner_of(zone), for_port(Verdict::allowed), pass);
                // Not asked, because it is a reply or a later fragment: that is no beginning.
                emit.flow(Stage::commit, kAstray, owner_of(zone),
                          for_port(Verdict::pending)
                              .set(of::Field::ip_frag, 0, kLaterFragments)
                              .set(of::Field::ct_state, of::ct::kTrk, of::ct::kTrk | of::ct::kRpl),
                          pass);
            }
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
