// LabPlan → the commands that make it: texts for `ip -batch`, sysctls, arguments for ovs-vsctl, flows, weftd.toml.
// Pure; lab/up runs them in the order of this header.
#pragma once
#include "lab/plan.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace weft::lab {

/// What is done inside one namespace.
struct NamespaceSetup {
    std::vector<std::pair<std::string, std::string>> sysctls;        ///< below /proc/sys/net; before the links are made
    std::vector<std::pair<std::string, std::string>> device_sysctls; ///< the same, after the links are made
    std::string ip;                                                  ///< `ip -batch`, after that
    std::string ip6;                                                 ///< `ip -6 -batch`: policy rules know no other way
    bool operator==(const NamespaceSetup&) const = default;
};

std::string namespace_batch(const LabPlan& plan);
std::string link_batch(const LabPlan& plan);
std::map<std::string, NamespaceSetup> namespace_setups(const LabPlan& plan);

/// How one interface comes up: fixed addresses and routes, sysctls for those that routers advertise; what a DHCP client
/// does is in lab/clients. Every line ends in a newline.
void write_nic(const Nic& nic, NamespaceSetup& setup);
/// A veth end that an OVS owns: the kernel of its namespace must neither answer ARP nor speak on it.
std::string switch_port_lines(const std::string& device);

/// Arguments of one ovs-vsctl call, the connection left out.
using VsctlArguments = std::vector<std::string>;
VsctlArguments underlay_rows(const HostPlan& host);
/// Plugs in every port of `plan` on `host`. `make_bridge`: without weftd the lab makes the integration bridge.
VsctlArguments plug_rows(const LabPlan& plan, const HostPlan& host, bool make_bridge);
VsctlArguments plug_rows(const HostPlan& host, const EndpointPlan& port);
VsctlArguments switch_rows(const LabPlan& plan);
/// `ovs-ofctl add-flows splitter -`: a trunk's VLANs to and from the endpoint's interfaces.
std::string splitter_flows(const LabPlan& plan);

/// br-phy's address, after ovs-vswitchd made the bridge: again after each of its restarts.
std::string underlay_address_lines(const HostPlan& host);

/// weftd's settings: docs/cli.md, section weftd.
std::string weftd_settings(const LabPlan& plan, const std::string& directory,
                           const std::map<std::string, std::string>& libvirt_uris = {}); ///< by host

inline constexpr std::uint16_t kOvsdbPort = 6640;
inline constexpr std::uint16_t kOpenflowPort = 6653;
inline constexpr std::uint16_t kPagePort = 8080;

} // namespace weft::lab
