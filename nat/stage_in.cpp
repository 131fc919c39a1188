// nat_in: a packet to a public address that is active here gets its inside destination, and goes on to route under the
// routes of the gateway. Port forwards come before floating IPs; what belongs to a connection keeps that one's
// translation whichever flow it meets.
#include "nat/groups.hpp"
#include "nat/ports.hpp"
#include "pipeline/answer.hpp"

namespace weft::nat {

using namespace pipeline;

namespace {

enum Priority : std::uint16_t {
    kInvalid = 310,
    kTranslated = 300,
    kUntranslated = 290,
    kForward = 200,
    kEcho = 180,
    kFloating = 150,
    kRestore = 100, // SNAT addresses: replies
    kInside = 50,   // not translated at all
    kGate = 40,
    kGateByMac = 30, // of two gateways on a network, the one that has the address, whatever MAC it was sent to
};

class Inbound {
  public:
    Inbound(Sink& sink, const Gateway& gateway, const Site& here)
        : sink_(sink), gateway_(gateway), here_(here), owner_{Kind::gateway, gateway.id, {}} {}

    /// Packets that are for this gateway, while it is active here.
    void gates() {
        const auto pass = [&](Gate which, const of::Actions& shut) {
            auto group = gate(gateway_, here_, which, {load(Nat::active), again_to(Stage::nat_in)},
                              [&](const Candidate&) { return shut; });
            if (group) sink_.group(*group);
            return group.has_value();
        };
        const bool wire = pass(Gate::wire, {});
        const bool local = pass(Gate::local, {again_to(after(Stage::nat_in))});
        const auto ask = [&](std::uint16_t priority, const of::Match& match) {
            const auto from = [&](WayIn way) { return of::Match(match).set(kWayIn, static_cast<std::uint64_t>(way)); };
            if (wire)
                sink_.flow(Stage::nat_in, priority, owner_, from(WayIn::uplink),
                           {of::Group{group_id(gateway_, Gate::wire)}});
            else
                sink_.drop(Stage::nat_in, priority, owner_, Reason::unknown_destination, from(WayIn::uplink));
            of::Actions from_local{go_on_after(Stage::nat_in)};
            if (local) from_local = {of::Group{group_id(gateway_, Gate::local)}};
            sink_.flow(Stage::nat_in, priority, owner_, from(WayIn::local), std::move(from_local));
        };
        for (const auto& address : public_addresses(gateway_))
            if (address.block.address.is_v4()) ask(kGate, at(Nat::none).ip_dst(address.block));
        if (gateway_.address6) ask(kGateByMac, at(Nat::none).eth_dst(gateway_.mac).ipv6());
        if (gateway_.snat.empty()) ask(kGateByMac, at(Nat::none).eth_dst(gateway_.mac).ipv4());
    }

    void addresses() {
        for (const auto& address : public_addresses(gateway_))
            if (address.block.address.is_v4())
                sink_.flow(Stage::nat_in, kRestore, owner_, at(Nat::active).ip_dst(address.block),
                           ct(false, of::Nat{}));
        for (const auto& address : {gateway_.address, gateway_.address6})
            if (address) echo(*address);
        if (gateway_.address6)
            sink_.flow(Stage::nat_in, kInside, owner_, at(Nat::active).eth_dst(gateway_.mac).ipv6(), inside());
        if (gateway_.snat.empty())
            sink_.flow(Stage::nat_in, kInside, owner_, at(Nat::active).eth_dst(gateway_.mac).ipv4(), inside());
    }

    void forward(const Forward& forward) {
        const Owner owner{Kind::port_forward, forward.id, {}};
        const auto put = [&](std::uint16_t port, std::uint16_t mask, std::uint16_t inside_port) {
            auto match = at(Nat::active).ip_dst(forward.address).set(of::Field::ip_proto, forward.protocol);
            match.set(port_field(forward.protocol), port, mask);
            of::Nat nat{of::Nat::Kind::target, forward.inside, {}, inside_port, inside_port};
            sink_.flow(Stage::nat_in, kForward, owner, std::move(match), ct(true, nat));
        };
        if (forward.ports == forward.inside_ports) {
            // The port stays, so ranges need a flow per block of ports and no port in the translation.
            for (const auto& [value, mask] : port_blocks(forward.ports))
                put(value, mask, 0);
            return;
        }
        // OVS picks any port of a range; the offset must stay, so each port has its flow.
        for (int i = 0; i < forward.ports.count(); ++i)
            put(static_cast<std::uint16_t>(forward.ports.first + i), 0xffff,
                static_cast<std::uint16_t>(forward.inside_ports.first + i));
    }

    void floating(const Floating& floating) {
        const Owner owner{Kind::floating_ip, floating.id, {}};
        const bool gated = floating.host.empty();
        sink_.flow(Stage::nat_in, kFloating, owner, at(gated ? Nat::active : Nat::none).ip_dst(floating.address),
                   ct(true, of::Nat{of::Nat::Kind::target, floating.inside, {}, 0, 0}));
    }

    /// Out of ct(): translated, or not for anybody.
    void translated() {
        const auto out_of_ct = [&] { return at(Nat::translating).set(kRouter, gateway_.id.value).ipv4(); };
        const auto state = [&](std::uint32_t bits) {
            return out_of_ct().set(of::Field::ct_state, of::ct::kTrk | bits, of::ct::kTrk | bits);
        };
        sink_.drop(Stage::nat_in, kInvalid, owner_, Reason::ct_invalid, state(of::ct::kInv));
        for (const auto change : {of::ct::kSnat, of::ct::kDnat})
            sink_.flow(Stage::nat_in, kTranslated, owner_, state(change), inside());
        sink_.drop(Stage::nat_in, kUntranslated, owner_, Reason::unknown_destination, out_of_ct());
    }

  private:
    of::Match at(Nat step) const {
        return of::Match().metadata(gateway_.network_id.value).set(kNat, static_cast<std::uint64_t>(step));
    }
    of::Actions ct(bool commit, of::Nat nat) const {
        return {load(Nat::translating), load(kRouter, gateway_.id.value),
                of::Ct{.commit = commit, .zone = gateway_.numbers.zone, .table = table_of(Stage::nat_in), .nat = nat}};
    }
    of::Actions inside() const { return {load(kRouter, gateway_.id.value), go_to(Stage::track)}; }

    void echo(const Ip& address) {
        for (const auto way : {WayIn::local, WayIn::uplink}) {
            auto actions = echo_reply(address, gateway_.mac);
            of::append(actions, back(way));
            sink_.flow(Stage::nat_in, kEcho, owner_,
                       echo_request(at(Nat::active).set(kWayIn, static_cast<std::uint64_t>(way)), address),
                       std::move(actions));
        }
    }

    Sink& sink_;
    const Gateway& gateway_;
    const Site& here_;
    Owner owner_;
};

} // namespace

void nat_in_gateway(Sink& sink, const Gateway& gateway, const Site& here) {
    if (here.uplink == 0) return;
    Inbound inbound(sink, gateway, here);
    const auto own = translated_by(gateway, here.host);
    for (const auto* floating : own)
        inbound.floating(*floating);
    const bool candidate = here.is_candidate(gateway);
    if (candidate || !own.empty()) inbound.translated();
    if (!candidate) return;
    inbound.gates();
    inbound.addresses();
    for (const auto& forward : gateway.forwards)
        inbound.forward(forward);
    for (const auto& floating : gateway.floating_ips)
        if (floating.host.empty()) inbound.floating(floating);
}

} // namespace weft::nat
