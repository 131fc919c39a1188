// A topology in the making: objects as values, with what is said about them, and apart from them what an admin has to
// complete before it can hold. Made by import_convert, written by import_toml.
#pragma once
#include "topology/model.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weft::cli {

/// An object, and the comments above it.
template <class T>
struct Drafted {
    T object;
    std::vector<std::string> comments;
};

/// A host's way onto a physical network. Not `known`: a placeholder, since only the host itself knows the NIC.
struct Uplink {
    std::string physnet;
    std::string device;
    bool known = false;
};

/// What leads to the outside. libvirt knows neither the uplink nor the public address nor the next hop, so all of it is
/// written as comments.
struct Outside {
    topology::Network network;
    std::vector<Drafted<topology::Gateway>> gateways;
    std::vector<Drafted<topology::PortForward>> forwards;
    std::vector<Drafted<topology::FloatingIp>> floating_ips;
};

struct Draft {
    topology::Host host;
    std::vector<Uplink> uplinks;
    std::vector<Drafted<topology::Network>> networks; ///< `gateway` absent: the default; `dhcp` absent: false
    std::vector<Drafted<topology::Router>> routers;   ///< `gateway` is one of the outside
    std::vector<Drafted<topology::Qos>> qos;
    std::vector<Drafted<topology::Port>> ports;
    std::optional<Outside> outside;
    std::vector<std::string> lost; ///< what does not carry over or has to be completed, a line each
};

/// Names of a topology's objects: legal, and unique by kind.
class Names {
  public:
    explicit Names(std::vector<std::string>& lost) : lost_(lost) {}
    /// `wanted` if it is legal and free; else the nearest name that is, which is said.
    std::string take(const std::string& kind, const std::string& wanted);

  private:
    std::vector<std::string>& lost_;
    std::map<std::string, std::set<std::string>> taken_;
};

/// `text` made of what a name may have; "unnamed" if nothing of it is left.
std::string legal_name(std::string_view text);

/// The text as valid UTF-8 without control characters: what is neither becomes '?'.
std::string clean(std::string_view text);

} // namespace weft::cli
