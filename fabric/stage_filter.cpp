// filter_out and filter_in: a network's ACL, in order, without state. "egress" judges what its ports send, "ingress"
// what is delivered to a port of it on this host, wherever it comes from. An entry with ports judges a packet's first
// fragment: later ones have no ports, and without the first they come to nothing.
#include "fabric/special.hpp"
#include "fabric/stages.hpp"
#include "nat/ports.hpp"

namespace weft::fabric {
namespace {

using topology::Direction;
using topology::Family;

enum Priority : std::uint16_t { kMiss = 0, kFirst = 60000, kNeverCut = 65000 };

Stage stage_of(Direction direction) {
    return direction == Direction::egress ? Stage::filter_out : Stage::filter_in;
}

/// What an ACL's direction is about.
of::Match judged(const NetworkCore& network, Direction direction) {
    auto match = of::Match().metadata(network.id.value);
    if (direction == Direction::egress) return std::move(match.set(kWayIn, static_cast<std::uint64_t>(WayIn::local)));
    return std::move(match.set(kWayOut, static_cast<std::uint64_t>(WayOut::local)));
}

class Acl {
  public:
    Acl(Emit& emit, const NetworkCore& network, Direction direction)
        : emit_(emit), network_(network), direction_(direction) {}

    void entries() {
        std::uint16_t priority = kFirst;
        for (const auto& [id, entry] : network_.acl) {
            if (entry.direction != direction_) continue;
            for (const auto family : {Family::ipv4, Family::ipv6})
                if (is_of(entry, family)) put(priority, {Kind::acl_entry, id, {}}, entry, family);
            priority -= 2; // one for the entry's later fragments
        }
        if (priority != kFirst) never_cut();
    }

  private:
    static bool is_of(const topology::AclEntry& entry, Family family) {
        if (entry.family != Family::any && entry.family != family) return false;
        return !entry.remote || entry.remote->address.is_v6() == (family == Family::ipv6);
    }

    of::Match match_of(const topology::AclEntry& entry, Family family) const {
        auto match = judged(network_, direction_);
        family == Family::ipv4 ? match.ipv4() : match.ipv6();
        if (entry.remote) direction_ == Direction::egress ? match.ip_dst(*entry.remote) : match.ip_src(*entry.remote);
        if (entry.protocol.kind == topology::Protocol::Class::icmp)
            match.set(of::Field::ip_proto, family == Family::ipv4 ? of::ip_proto::kIcmp : of::ip_proto::kIcmpv6);
        if (entry.protocol.kind == topology::Protocol::Class::number)
            match.set(of::Field::ip_proto, entry.protocol.number);
        return match;
    }

    void put(std::uint16_t priority, Owner owner, const topology::AclEntry& entry, Family family) {
        const auto judge = [&](of::Match match) {
            if (entry.allow)
                emit_.flow(stage_of(direction_), priority, owner, std::move(match),
                           {go_on_after(stage_of(direction_))});
            else
                emit_.drop(stage_of(direction_), priority, owner, Reason::acl, std::move(match));
        };
        if (entry.ports.empty()) return judge(match_of(entry, family));
        for (const auto& [value, mask] : nat::port_blocks(entry.ports))
            judge(match_of(entry, family).set(nat::port_field(entry.protocol.number), value, mask));
        emit_.flow(stage_of(direction_), static_cast<std::uint16_t>(priority + 1), owner,
                   match_of(entry, family).set(of::Field::ip_frag, kLaterFragments, kLaterFragments),
                   {go_on_after(stage_of(direction_))});
    }

    void never_cut() {
        const auto pass = [&](of::Match match) {
            emit_.flow(stage_of(direction_), kNeverCut, owner_of(network_),
                       both(std::move(match), judged(network_, direction_)), {go_on_after(stage_of(direction_))});
        };
        for (auto& match : never_tracked())
            pass(std::move(match));
        if (network_.routed && direction_ == Direction::egress)
            for (const auto& ip : network_.routed->addresses())
                pass(of::Match().eth_dst(network_.routed->mac).ip_dst(ip));
    }

    Emit& emit_;
    const NetworkCore& network_;
    Direction direction_;
};

} // namespace

void filter_host(Emit& emit) {
    for (const auto stage : {Stage::filter_out, Stage::filter_in})
        emit.flow(stage, kMiss, owner_of(emit.host), {}, {go_on_after(stage)});
}

void filter_network(Emit& emit, const NetworkCore& network) {
    for (const auto direction : {Direction::egress, Direction::ingress})
        Acl(emit, network, direction).entries();
}

} // namespace weft::fabric
