// nat_out: what hosts have routed to the gateway gets its public source here, and then its way on the public network:
// another public address, a port, or the next hop. A packet that comes out of ct() untranslated never leaves: OVS lets
// it through when a pool is used up.
#include "nat/groups.hpp"
#include "nat/ports.hpp"
#include "pipeline/answer.hpp"
#include "pipeline/punt.hpp"

#include <map>
#include <set>

namespace weft::nat {

using namespace pipeline;

namespace {

enum Priority : std::uint16_t {
    kHairpin = 400,
    kReturn = 340, // back to a network behind the gateway, untranslated
    kNexthop = 320,
    kNoNexthop = 310,
    kInvalid = 240,
    kTranslated = 230,
    kExhausted = 220,
    kEcho = 290,
    kFloating = 280,
    kReplies = 270,
    kSelf = 260,
    kSnat = 100, // plus the prefix's length
    kStranger = 40,
};

/// Who a packet's translation is by: the gateway, or a distributed floating IP with a MAC of its own.
struct Identity {
    Owner owner;
    Mac mac;
};

class Outbound {
  public:
    Outbound(Sink& sink, const Gateway& gateway) : sink_(sink), gateway_(gateway) {}

    void floating(const Floating& floating, const Identity& by) {
        sink_.flow(Stage::nat_out, kFloating, {Kind::floating_ip, floating.id, {}}, entry().ip_src(floating.inside),
                   ct(by, of::Nat{of::Nat::Kind::source, floating.address, {}, 0, 0}));
    }

    void router(const Served& router, const Identity& by) {
        const Owner owner{Kind::router, router.id, {}};
        for (const auto& prefix : router.behind) {
            const bool keeps_source = prefix.address.is_v6() || gateway_.snat.empty();
            sink_.flow(Stage::nat_out, static_cast<std::uint16_t>(kSnat + prefix.length), owner, entry().ip_src(prefix),
                       keeps_source ? outside(by) : snat(router, by));
            if (prefix.address.is_v4() && keeps_source) hairpins(router, prefix, by);
        }
    }

    /// Without SNAT only the replies of forwards are translated: all else must not be tracked, for what comes in
    /// untranslated is not.
    void replies(const Identity& by) {
        // Several forwards may lead to one port inside.
        std::map<std::pair<Ip, std::uint8_t>, std::set<std::pair<std::uint16_t, std::uint16_t>>> sources;
        for (const auto& forward : gateway_.forwards)
            for (const auto& [value, mask] : port_blocks(forward.inside_ports))
                sources[{forward.inside, forward.protocol}].emplace(value, mask);
        for (const auto& [from, blocks] : sources)
            for (const auto& [value, mask] : blocks) {
                auto actions = ct(by, of::Nat{});
                actions.front() = load(Nat::restoring);
                sink_.flow(Stage::nat_out, kReplies, owner(),
                           entry()
                               .ip_src(from.first)
                               .set(of::Field::ip_proto, from.second)
                               .set(source_port_field(from.second), value, mask),
                           std::move(actions));
            }
        if (!sources.empty()) sink_.flow(Stage::nat_out, kTranslated, owner(), step(by, Nat::restoring), outside(by));
    }

    /// From inside to the gateway's own address.
    void echo() {
        for (const auto& address : {gateway_.address, gateway_.address6}) {
            if (!address) continue;
            auto actions = echo_reply(*address, gateway_.mac);
            actions.emplace_back(load(kRouter, gateway_.id.value));
            actions.emplace_back(again_to(Stage::route));
            sink_.flow(Stage::nat_out, kEcho, owner(), echo_request(entry(), *address), std::move(actions));
        }
    }

    void strangers() { sink_.drop(Stage::nat_out, kStranger, owner(), Reason::no_route, entry()); }

    void translated(const Identity& by) {
        const auto out_of_ct = [&](std::uint32_t bits) {
            return step(by, Nat::translating).ipv4().set(of::Field::ct_state, of::ct::kTrk | bits, of::ct::kTrk | bits);
        };
        sink_.drop(Stage::nat_out, kInvalid, by.owner, Reason::ct_invalid, out_of_ct(of::ct::kInv));
        for (const auto change : {of::ct::kSnat, of::ct::kDnat})
            sink_.flow(Stage::nat_out, kTranslated, by.owner, out_of_ct(change), outside(by));
        sink_.drop(Stage::nat_out, kExhausted, by.owner, Reason::snat_exhausted, step(by, Nat::translating).ipv4(),
                   {punt(Punt::snat_exhausted)});
    }

    /// The way on the public network, where no port of weft's has the address (fabric's part of this stage).
    void way(const Identity& by) {
        const auto to_nexthop = [&](const std::optional<Ip>& nexthop, const std::optional<Mac>& mac) {
            if (!nexthop) return;
            auto match = step(by, Nat::outside);
            nexthop->is_v4() ? match.ipv4() : match.ipv6();
            if (!mac) return sink_.drop(Stage::nat_out, kNoNexthop, by.owner, Reason::no_neighbour, std::move(match));
            sink_.flow(Stage::nat_out, kNexthop, by.owner, std::move(match),
                       {of::set_field(of::Field::eth_dst, *mac), load(Nat::none), again_to(Stage::switching)});
        };
        to_nexthop(gateway_.nexthop, gateway_.nexthop_mac);
        to_nexthop(gateway_.nexthop6, gateway_.nexthop6_mac);
    }

    /// From one router of the gateway to another, without translation.
    void returns() {
        const Identity by{owner(), gateway_.mac};
        for (const auto& router : gateway_.routers) {
            for (const auto& prefix : router.behind) {
                if (prefix.address.is_v4() && !gateway_.snat.empty()) continue;
                sink_.flow(Stage::nat_out, kReturn, {Kind::router, router.id, {}},
                           step(by, Nat::outside).ip_dst(prefix), {load(Nat::none), again_to(Stage::track)});
            }
        }
    }

    Owner owner() const { return {Kind::gateway, gateway_.id, {}}; }

  private:
    /// As it comes from nexthop, or from the transit VNI.
    of::Match entry() const { return of::Match().metadata(gateway_.id.value).set(kNat, 0); }
    static of::Match step(const Identity& by, Nat step) {
        return of::Match().set(kNat, static_cast<std::uint64_t>(step)).set(kRouter, by.owner.object.value);
    }
    of::Actions ct(const Identity& by, of::Nat nat) const {
        return {load(Nat::translating), load(kRouter, by.owner.object.value),
                of::Ct{.commit = nat.kind != of::Nat::Kind::restore,
                       .zone = gateway_.numbers.zone,
                       .table = table_of(Stage::nat_out),
                       .nat = nat}};
    }
    /// Without SNAT a packet to one of the gateway's own public addresses needs a public source all the same: the
    /// answer must come back here.
    void hairpins(const Served& router, const Prefix& prefix, const Identity& by) {
        if (!gateway_.address) return;
        for (const auto& address : public_addresses(gateway_))
            if (address.block.address.is_v4())
                sink_.flow(
                    Stage::nat_out, kSelf, {Kind::router, router.id, {}}, entry().ip_src(prefix).ip_dst(address.block),
                    ct(by, of::Nat{of::Nat::Kind::source, *gateway_.address, {}, router.port_first, router.port_last}));
    }
    /// On the public network now, as if a local port of it had sent the packet.
    of::Actions outside(const Identity& by) const {
        return {load(Nat::outside),
                load(kRouter, by.owner.object.value),
                load(kNetwork, gateway_.network_id.value),
                load(WayIn::local),
                load(kSource, 0),
                load(Verdict::untracked),
                of::set_field(of::Field::eth_src, by.mac),
                forget_in_port(),
                again_to(Stage::nat_out)};
    }
    /// Several ranges: a connection's hash chooses one.
    of::Actions snat(const Served& router, const Identity& by) {
        const auto into = [&](const topology::AddressRange& range) {
            const auto last = range.last == range.first ? std::nullopt : std::optional(range.last);
            return ct(by, of::Nat{of::Nat::Kind::source, range.first, last, router.port_first, router.port_last});
        };
        const auto id = pool_group_id(gateway_, router);
        if (gateway_.snat.size() == 1 || !id) return into(gateway_.snat[router.port_first % gateway_.snat.size()]);
        if (pools_.insert(*id).second) {
            openflow::GroupEntry group{*id, openflow::GroupType::select, {}};
            for (const auto& range : gateway_.snat)
                group.buckets.push_back({into(range), std::nullopt});
            sink_.group(std::move(group));
        }
        return {of::Group{*id}};
    }

    std::set<std::uint32_t> pools_; ///< groups made
    Sink& sink_;
    const Gateway& gateway_;
};

} // namespace

void nat_out_gateway(Sink& sink, const Gateway& gateway, const Site& here) {
    if (here.uplink == 0 || !here.translating) return;
    Outbound outbound(sink, gateway);
    const Identity self{outbound.owner(), gateway.mac};
    for (const auto* floating : translated_by(gateway, here.host)) {
        const Identity own{{Kind::floating_ip, floating->id, {}}, floating->mac};
        outbound.floating(*floating, own);
        outbound.translated(own);
        outbound.way(own);
    }
    // A public address of any gateway: straight there, whoever's network it is asked from.
    const auto hairpin = [&](const Prefix& block, const Mac& mac) {
        sink.flow(Stage::nat_out, kHairpin, outbound.owner(),
                  of::Match()
                      .metadata(gateway.network_id.value)
                      .set(kNat, static_cast<std::uint64_t>(Nat::outside))
                      .ip_dst(block),
                  {of::CtClear{}, of::set_field(of::Field::eth_dst, mac), load(Nat::none), load(kRouter, 0),
                   again_to(Stage::nat_in)});
    };
    for (const auto& address : public_addresses(gateway))
        if (address.block.address.is_v4()) hairpin(address.block, address.mac);
    for (const auto& floating : gateway.floating_ips)
        if (!floating.host.empty()) hairpin(Prefix::host(floating.address), floating.mac);
    if (!here.is_candidate(gateway)) return;
    for (const auto& floating : gateway.floating_ips)
        if (floating.host.empty()) outbound.floating(floating, self);
    for (const auto& router : gateway.routers)
        outbound.router(router, self);
    if (gateway.snat.empty()) outbound.replies(self);
    outbound.echo();
    outbound.strangers();
    outbound.translated(self);
    outbound.way(self);
    outbound.returns();
}

} // namespace weft::nat
