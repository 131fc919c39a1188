// respond, a gateway's part: who asks for a public address is told the gateway's MAC, from the active host alone.
#include "nat/groups.hpp"
#include "pipeline/answer.hpp"
#include "pipeline/punt.hpp"

namespace weft::nat {

using namespace pipeline;

namespace {

enum Priority : std::uint16_t { kUnicast = 115, kAnswer = 100, kActive = 90, kHeard = 85 };

class Responder {
  public:
    Responder(Sink& sink, const Gateway& gateway, const Site& here)
        : sink_(sink), gateway_(gateway), here_(here), owner_{Kind::gateway, gateway.id, {}} {}

    /// Toward the wire only while active, to local ports at once.
    void answers(const Prefix& block, const Mac& mac, bool gated) {
        const auto put = [&](Priority priority, of::Match match, of::Actions actions) {
            sink_.flow(Stage::respond, priority, owner_, asks_for(std::move(match), block), std::move(actions));
        };
        const auto answer = [&](WayIn way) -> of::Actions {
            if (block.address.is_v4()) return arp_reply(mac, way);
            if (here_.nd_ext) return advertisement(mac, block.address, true);
            return {punt(Punt::solicitation)};
        };
        put(kAnswer, on(WayIn::local), answer(WayIn::local));
        auto asked = on(WayIn::uplink);
        if (gated) asked.set(kNat, static_cast<std::uint64_t>(Nat::active));
        put(kAnswer, asked, answer(WayIn::uplink));
        if (!gated) return;
        auto unasked = asks_for(on(WayIn::uplink).set(kNat, 0), block);
        if (open_)
            sink_.flow(Stage::respond, kActive, owner_, std::move(unasked),
                       {of::Group{group_id(gateway_, Gate::answers)}});
        else
            sink_.drop(Stage::respond, kActive, owner_, Reason::unknown_destination, std::move(unasked));
    }

    /// Solicitations without an option, which a datapath cannot answer.
    void unicast() {
        const auto asked = [&](of::Match match) { return asks_without_option(std::move(match), gateway_.mac); };
        const auto put = [&](of::Match match, of::Action action) {
            sink_.flow(Stage::respond, kUnicast, owner_, std::move(match), {std::move(action)});
        };
        put(asked(on(WayIn::local)), punt(Punt::solicitation));
        put(asked(on(WayIn::uplink).set(kNat, static_cast<std::uint64_t>(Nat::active))), punt(Punt::solicitation));
        if (open_) put(asked(on(WayIn::uplink).set(kNat, 0)), of::Group{group_id(gateway_, Gate::answers)});
    }

    void open_gate() {
        auto group = gate(gateway_, here_, Gate::answers, {load(Nat::active), again_to(Stage::respond)},
                          [](const Candidate&) { return of::Actions{}; });
        open_ = group.has_value();
        if (group) sink_.group(std::move(*group));
    }

    /// What the next hop tells the gateway of itself. (What it tells all is heard by fabric's part of this stage.)
    void hears(const Ip& nexthop) {
        sink_.flow(Stage::respond, kHeard, owner_, says_it_has(on(WayIn::uplink), nexthop).eth_dst(gateway_.mac),
                   {punt(Punt::neighbour)});
    }

  private:
    of::Match on(WayIn way) const {
        return of::Match().metadata(gateway_.network_id.value).set(kWayIn, static_cast<std::uint64_t>(way));
    }

    Sink& sink_;
    const Gateway& gateway_;
    const Site& here_;
    Owner owner_;
    bool open_ = false;
};

} // namespace

void respond_gateway(Sink& sink, const Gateway& gateway, const Site& here) {
    if (here.uplink == 0) return;
    Responder responder(sink, gateway, here);
    for (const auto* floating : translated_by(gateway, here.host))
        responder.answers(Prefix::host(floating->address), floating->mac, false);
    if (!here.is_candidate(gateway)) return;
    responder.open_gate();
    for (const auto& address : public_addresses(gateway))
        responder.answers(address.block, address.mac, true);
    if (gateway.address6) responder.unicast();
    for (const auto& nexthop : {gateway.nexthop, gateway.nexthop6})
        if (nexthop) responder.hears(*nexthop);
}

} // namespace weft::nat
