// NetworkNames: what weft knows of names, as one guest sees it: PORT.DOMAIN for every port of its network and of the
// networks of its router, and the way back. So two routers' networks of one subnet and one domain each have their own.
#pragma once
#include "controller/dns.hpp"
#include "fabric/world.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace weft::controller {

/// Every port's addresses by its name, and the way back, by network. A guest's question must not cost a walk over the
/// fabric.
class Directory {
  public:
    explicit Directory(const topology::Allocations& allocations);

    /// `port` in lower case. Empty: no such port, or none with an address.
    std::vector<Ip> addresses_of(const std::string& network, const std::string& port) const;
    /// Some port's name is a dot and `name` behind something.
    bool is_above(const std::string& network, const std::string& name) const {
        return above_.contains({network, name});
    }
    /// In lower case.
    std::optional<std::string> port_of(const std::string& network, const Ip& ip) const;

  private:
    std::map<std::pair<std::string, std::string>, std::vector<Ip>> addresses_; ///< network, port
    std::set<std::pair<std::string, std::string>> above_;                      ///< network, "b" of a port "a.b"
    std::map<std::pair<std::string, Ip>, std::string> ports_;                  ///< network, address
};

class NetworkNames final : public DnsNames {
  public:
    /// As seen from `network`. The arguments outlive it.
    NetworkNames(const topology::Topology& topology, const Directory& directory, const std::string& network);

    std::optional<Host> find(std::string_view name) const override;
    std::optional<std::string> name_of(const Ip& ip) const override;
    std::string zone_of(std::string_view name) const override;
    bool is_private(std::string_view zone) const override;
    bool is_above(std::string_view name) const override;

  private:
    struct Known {
        const topology::Network* network;
        std::string domain;
        std::vector<std::string> zones; ///< that, and the reverse ones
    };

    const topology::Topology& topology_;
    const Directory& directory_;
    std::vector<Known> networks_;
};

} // namespace weft::controller
