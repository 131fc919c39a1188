// NICs of libvirt domains as ports of a draft, with the addresses that libvirt's networks have for them. Pure.
#pragma once
#include "cli/import_networks.hpp"

namespace weft::cli {

class Ports {
  public:
    Ports(Draft& draft, Names& names, Networks& networks) : draft_(draft), names_(names), networks_(networks) {}

    /// Either may be absent. What a running domain has counts; NICs of its persistent definition are added.
    void add(const std::optional<LibvirtDomain>& live, const std::optional<LibvirtDomain>& persistent);
    /// When all NICs are there: what the networks' DHCP and DNS hosts and leases say of them.
    void add_addresses();
    /// The ports that have or had this address behind a router.
    std::vector<const topology::Port*> with(const Ip& ip) const;
    /// The port of a VM that has one only; null otherwise.
    const topology::Port* only_port_of(const std::string& vm) const;

  private:
    struct Nic {
        LibvirtNic nic;
        std::string remark; ///< a comment; may be empty
    };
    void add_nic(const std::string& vm, const Nic& given, const std::string& wanted);
    /// Where untagged traffic and tags belong; false, and said why, if it is nowhere in weft.
    bool connect(const LibvirtNic& nic, topology::Port& port, std::string_view who);
    std::string rates(const LibvirtNic& nic, std::string_view who);
    std::optional<topology::Rate> rate(const LibvirtRate& given, std::string_view who, std::string_view direction);
    void add_hosts(const LibvirtNetwork& source, Drafted<topology::Network>& drafted);
    void add_dns(const LibvirtNetwork& source, const topology::Network& network);
    void add_leases(const LibvirtNetwork& source, const topology::Network& network);
    /// Gives the address to the port; false if it cannot have it.
    bool give(topology::Port& port, const Ip& ip, const topology::Network& network);
    /// Of the portgroup that the NIC is in; null if there is none.
    const Limits* limits(const LibvirtNic& nic) const;

    Draft& draft_;
    Names& names_;
    Networks& networks_;
    std::set<Mac> macs_;
    std::map<Bandwidth, std::string> rates_;
    std::map<std::string, std::set<Ip>> given_;     ///< by network
    std::map<Ip, std::set<std::string>> addresses_; ///< ports behind routers, by address or lease
};

} // namespace weft::cli
