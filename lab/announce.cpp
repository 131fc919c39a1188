#include "lab/announce.hpp"

#include "lab/command.hpp"

#include <array>
#include <cstring>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weft::lab {
namespace {

void announce_v4(unsigned interface, const Mac& mac, const Ip& ip) {
    ether_arp arp{};
    arp.ea_hdr = {htons(ARPHRD_ETHER), htons(ETHERTYPE_IP), ETH_ALEN, 4, htons(ARPOP_REQUEST)};
    const std::uint32_t address = htonl(ip.v4());
    std::memcpy(arp.arp_sha, mac.bytes.data(), ETH_ALEN);
    std::memcpy(arp.arp_spa, &address, sizeof address);
    std::memcpy(arp.arp_tpa, &address, sizeof address);
    const int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_protocol = htons(ETHERTYPE_ARP);
    to.sll_ifindex = static_cast<int>(interface);
    to.sll_halen = ETH_ALEN;
    std::memset(to.sll_addr, 0xff, ETH_ALEN);
    sendto(fd, &arp, sizeof arp, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    close(fd);
}

void announce_v6(unsigned interface, const Mac& mac, const Ip& ip) {
    struct {
        nd_neighbor_advert advert{};
        nd_opt_hdr option{};
        std::array<std::uint8_t, ETH_ALEN> mac{};
    } message;
    message.advert.nd_na_type = ND_NEIGHBOR_ADVERT;
    message.advert.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
    std::memcpy(&message.advert.nd_na_target, ip.bytes().data(), 16);
    message.option = {ND_OPT_TARGET_LINKADDR, 1};
    message.mac = mac.bytes;
    const int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6); // the kernel fills in the checksum
    const int hops = 255;
    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof interface);
    sockaddr_in6 from{};
    from.sin6_family = AF_INET6;
    std::memcpy(&from.sin6_addr, ip.bytes().data(), 16);
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_addr.s6_addr[0] = 0xff; // ff02::1, all nodes
    to.sin6_addr.s6_addr[1] = 0x02;
    to.sin6_addr.s6_addr[15] = 0x01;
    to.sin6_scope_id = interface;
    if (bind(fd, reinterpret_cast<sockaddr*>(&from), sizeof from) == 0) // else the address is not the interface's
        sendto(fd, &message, sizeof message, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    close(fd);
}

} // namespace

void announce(const EndpointPlan& endpoint) {
    const InNetns inside(endpoint.netns);
    if (!inside) return;
    for (const auto& nic : endpoint.nics) {
        const unsigned interface = if_nametoindex(nic.link.near.name.c_str());
        if (interface == 0 || !nic.link.near.mac) continue;
        for (const auto& address : nic.addresses) {
            if (address.address.is_v6())
                announce_v6(interface, *nic.link.near.mac, address.address);
            else
                announce_v4(interface, *nic.link.near.mac, address.address);
        }
    }
}

} // namespace weft::lab
