// guard: may this port say this? MAC, IPv4, IPv6, ARP and ND sources, no DHCP server, no router advertisement, nothing
// to a VTEP. Only packets of local ports come here; what a tunnel brings was guarded where it was sent.
//
// A neighbour solicitation or advertisement passes twice: first its link-layer option and target are checked and
// kNdChecked is set, then its source address like any other IPv6 packet's.
//
// What a port with a QoS class may say is metered, marked and, for a guarantee, put in a queue by the flows that let it
// pass. OVS takes one meter a flow: so none of these flows may have another.
#include "fabric/special.hpp"
#include "fabric/stages.hpp"

#include <algorithm>
#include <array>

namespace weft::fabric {

namespace {

enum Priority : std::uint16_t {
    kToVtep = 350, // also what unguarded ports say
    kUnguarded = 300,
    kRogue = 250,    // servers, routers
    kNdOwn = 220,    // ND: about an address of the port's own
    kNdOthers = 215, // ND: about a link-local address made from another MAC
    kNd = 210,       // ND: about any other link-local address
    kNdMiss = 200,
    kOwnSource = 150, // own and allowed source addresses
    kOthersLinkLocal = 145,
    kLinkLocal = 140,
    kSpoofed = 100,   // own MAC, wrong address
    kOtherTypes = 50, // own MAC, neither IP nor ARP
    kMiss = 0,
};

// Link-local addresses made from a MAC (RFC 4291 appendix A) have ff:fe in the middle of their interface id. A port may
// use any link-local address but that form of another MAC: so no flow per neighbour is needed to protect theirs.
const Ip kEui64Form = Ip::v6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 0});
const Ip kEui64Mask = Ip::v6({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 0, 0, 0});
const Prefix kLinkLocals{Ip::v6({0xfe, 0x80}), 64};
constexpr std::uint8_t kRouterSolicitation = 133, kRouterAdvertisement = 134, kNeighbourSolicitation = 135,
                       kNeighbourAdvertisement = 136, kRedirect = 137, kMldv1Report = 131, kMldv2Report = 143;

bool is_ip(const of::Match& match) {
    const auto* type = match.find(of::Field::eth_type);
    return type != nullptr && (type->value == of::eth_type::kIpv4 || type->value == of::eth_type::kIpv6);
}

/// On to the next stage, by way of the port's rate, mark and queue.
of::Actions passes(const Emit& emit, const Attachment& attachment, bool ip) {
    of::Actions actions;
    if (attachment.qos && is_plugged(emit, attachment)) {
        const auto ofport = attachment.binding.ofport;
        if (attachment.qos->egress) actions.emplace_back(of::Meter{egress_meter(ofport)});
        if (const auto queue = queue_of(emit.host, attachment)) actions.emplace_back(of::SetQueue{*queue});
        if (attachment.qos->dscp && ip) actions.emplace_back(of::set_field(of::Field::ip_dscp, *attachment.qos->dscp));
    }
    actions.emplace_back(go_on_after(Stage::guard));
    return actions;
}

/// The flows of one guarded attachment.
class PortGuard {
  public:
    PortGuard(Emit& emit, const NetworkCore& network, const Attachment& attachment)
        : emit_(emit), attachment_(attachment), owner_(owner_of(attachment)),
          link_local_(Ip::link_local(attachment.mac)) {
        for (const auto& ip : attachment.ips)
            (ip.is_v6() ? own6_ : own4_).push_back(Prefix::host(ip));
        for (const auto& prefix : attachment.allowed)
            (prefix.address.is_v6() ? own6_ : own4_).push_back(prefix);
        for (auto* sources : {&own4_, &own6_}) {
            std::ranges::sort(*sources);
            const auto repeated = std::ranges::unique(*sources);
            sources->erase(repeated.begin(), repeated.end());
        }
        std::erase(own6_, Prefix::host(link_local_)); // has flows of its own
        // A pure L2 network knows no addresses: there a port answers for its MAC alone.
        pure_l2_ = !network.addressed && own4_.empty() && own6_.empty();
        serves_dhcp_ = network.service && network.subnet;
    }

    void emit() {
        rogues();
        if (pure_l2_) {
            allow(kOwnSource, from_own_mac().ipv4());
            allow(kOwnSource, from_own_mac().arp().set(of::Field::arp_sha, of::bits(attachment_.mac)));
            allow(kOwnSource, from_own_mac().ipv6());
        } else {
            ipv4();
            ipv6();
        }
        arp();
        neighbour_discovery();
        drop(kSpoofed, Reason::spoofed_ip, from_own_mac().ipv4());
        drop(kSpoofed, Reason::spoofed_arp, from_own_mac().arp());
        drop(kSpoofed, Reason::spoofed_ip, from_own_mac().ipv6());
        allow(kOtherTypes, from_own_mac());
        drop(kMiss + 1, Reason::spoofed_mac, from_port());
    }

  private:
    of::Match from_port() const { return of::Match().set(kSource, attachment_.id.value); }
    of::Match from_own_mac() const { return from_port().eth_src(attachment_.mac); }
    void allow(std::uint16_t priority, of::Match match) {
        auto actions = passes(emit_, attachment_, is_ip(match));
        emit_.flow(Stage::guard, priority, owner_, std::move(match), std::move(actions));
    }
    void drop(std::uint16_t priority, Reason reason, of::Match match) {
        emit_.drop(Stage::guard, priority, owner_, reason, std::move(match));
    }

    void rogues() {
        drop(kRogue, Reason::rogue_dhcp, from_port().ipv4().udp().set(of::Field::udp_src, 67));
        drop(kRogue, Reason::rogue_dhcp, from_port().ipv6().udp().set(of::Field::udp_src, 547));
        drop(kRogue, Reason::rogue_ra, from_port().icmpv6(kRouterAdvertisement));
        drop(kRogue, Reason::rogue_ra, from_port().icmpv6(kRedirect));
    }

    void ipv4() {
        for (const auto& source : own4_)
            allow(kOwnSource, from_own_mac().ip_src(source));
        auto asks = from_own_mac().ipv4().udp().set(of::Field::udp_src, 68).set(of::Field::udp_dst, 67);
        // Where weft serves nobody else hears it, and a guest whose address is not its own any more must be told so.
        if (!serves_dhcp_) asks.ip_src(Ip::v4(0)).ip_dst(Ip::v4(0xffffffff));
        allow(kOwnSource, std::move(asks));
    }

    void ipv6() {
        for (const auto& source : own6_)
            allow(kOwnSource, from_own_mac().ip_src(source));
        allow(kOwnSource, from_own_mac().ip_src(link_local_));
        drop(kOthersLinkLocal, Reason::spoofed_ip,
             from_own_mac().ipv6().set(of::Field::ipv6_src, of::bits(kEui64Form), of::bits(kEui64Mask)));
        allow(kLinkLocal, from_own_mac().ip_src(kLinkLocals));
        for (const auto type : {kRouterSolicitation, kNeighbourSolicitation, kMldv1Report, kMldv2Report})
            allow(kOwnSource, from_own_mac().icmpv6(type).set(of::Field::ipv6_src, 0));
    }

    void arp() {
        const auto own = [this] { return from_own_mac().arp().set(of::Field::arp_sha, of::bits(attachment_.mac)); };
        if (pure_l2_) return;
        for (const auto& source : own4_) {
            allow(kOwnSource, own().set(of::Field::arp_spa, of::bits(source.network()), of::bits(source.netmask())));
        }
        allow(kOwnSource, own().arp_op(1).set(of::Field::arp_spa, 0)); // RFC 5227 probe
    }

    void neighbour_discovery() {
        // The option may be absent: OVS then shows it as zero.
        const std::array options{of::bits(attachment_.mac), of::Bits{0}};
        const auto checked = [this](std::uint16_t priority, of::Match match) {
            emit_.flow(Stage::guard, priority, owner_, std::move(match.set(kNdChecked, 0)),
                       {load(kNdChecked, 1), of::Resubmit{pipeline::table_of(Stage::guard)}});
        };
        for (const auto& option : options)
            checked(kNdOwn, from_own_mac().icmpv6(kNeighbourSolicitation).set(of::Field::nd_sll, option));
        const auto advertise = [&](std::uint16_t priority, const of::Bits& target, const of::Bits& mask) {
            for (const auto& option : options)
                checked(priority, from_own_mac()
                                      .icmpv6(kNeighbourAdvertisement)
                                      .set(of::Field::nd_target, target, mask)
                                      .set(of::Field::nd_tll, option));
        };
        for (const auto& own : own6_)
            advertise(kNdOwn, of::bits(own.network()), of::bits(own.netmask()));
        advertise(kNdOwn, of::bits(link_local_), of::full_mask(of::Field::nd_target));
        drop(kNdOthers, Reason::spoofed_nd,
             from_port()
                 .icmpv6(kNeighbourAdvertisement)
                 .set(kNdChecked, 0)
                 .set(of::Field::nd_target, of::bits(kEui64Form), of::bits(kEui64Mask)));
        if (pure_l2_)
            advertise(kNd, 0, 0);
        else
            advertise(kNd, of::bits(kLinkLocals.address), of::bits(kLinkLocals.netmask()));
        for (const auto type : {kNeighbourSolicitation, kNeighbourAdvertisement})
            drop(kNdMiss, Reason::spoofed_nd, from_port().icmpv6(type).set(kNdChecked, 0));
    }

    Emit& emit_;
    const Attachment& attachment_;
    pipeline::Owner owner_;
    Ip link_local_;
    std::vector<Prefix> own4_, own6_;
    bool pure_l2_ = false;
    bool serves_dhcp_ = false;
};

void drop_to_vtep(Emit& emit, const Ip& vtep) {
    emit.drop(Stage::guard, kToVtep, owner_of(emit.host), Reason::to_vtep, of::Match().ip_dst(vtep));
}

} // namespace

void guard_host(Emit& emit) {
    emit.drop(Stage::guard, kMiss, owner_of(emit.host), Reason::unbound, {});
    if (emit.host.facts.vtep) drop_to_vtep(emit, *emit.host.facts.vtep);
}

void guard_peer(Emit& emit, const Ip& vtep) {
    drop_to_vtep(emit, vtep);
}

void guard_attachment(Emit& emit, const NetworkCore& network, const Attachment& attachment) {
    if (!is_local(emit, attachment)) return;
    const auto& qos = attachment.qos;
    if (qos && qos->egress && attachment.leads && is_plugged(emit, attachment))
        emit.meter(rate_meter(egress_meter(attachment.binding.ofport), *qos->egress));
    if (attachment.port_security) return PortGuard(emit, network, attachment).emit();
    const auto from_port = [&] { return of::Match().set(kSource, attachment.id.value); };
    emit.flow(Stage::guard, kUnguarded, owner_of(attachment), from_port(), passes(emit, attachment, false));
    if (!qos || !qos->dscp) return;
    for (const auto family : {of::eth_type::kIpv4, of::eth_type::kIpv6}) // what can carry a mark
        emit.flow(Stage::guard, kUnguarded + 1, owner_of(attachment), from_port().eth_type(family),
                  passes(emit, attachment, true));
}

} // namespace weft::fabric
