#include "topology/objects.hpp"

namespace weft::topology {
namespace {

/// "web1:22" or "web1:8000-8010".
struct Target {
    std::string port;
    PortRange ports;
};

Read<Target> read_target(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::unexpected(std::string());
    auto port = form::name(text.substr(0, colon));
    auto ports = form::ports(text.substr(colon + 1));
    if (!port || !ports) return std::unexpected(std::string());
    return Target{*std::move(port), *ports};
}

constexpr Form<Target> kTarget{"a port and its L4 port or range like \"web1:22\"", read_target};

} // namespace

void read_routes(TableReader& reader, std::vector<Route>& into) {
    reader.tables("routes", "a route", [&](TableReader& route) {
        Route value{.origin = route.origin()};
        route.require("prefix");
        route.require("via");
        const bool prefix = route.text("prefix", kPrefix, value.prefix);
        if (route.text("via", kIp, value.via) && prefix) into.push_back(std::move(value));
    });
}

void read_router(TableReader& reader, Topology& topology) {
    Router router{.origin = reader.origin()};
    reader.require("name");
    reader.require("networks");
    reader.text("name", kName, router.name);
    reader.texts("networks", kName, router.networks);
    reader.text("gateway", kName, router.gateway);
    read_routes(reader, router.routes);
    if (router.name.empty()) return;
    const auto name = router.name;
    add(reader, topology.routers, name, std::move(router), "name", fmt::format("router '{}'", name));
}

void read_gateway(TableReader& reader, Topology& topology) {
    Gateway gateway{.origin = reader.origin()};
    reader.require("name");
    reader.require("network");
    reader.require("hosts");
    reader.text("name", kName, gateway.name);
    reader.text("network", kName, gateway.network);
    reader.text("address", kIpv4, gateway.address);
    reader.text("address6", kIpv6, gateway.address6);
    reader.text("nexthop", kIpv4, gateway.nexthop);
    reader.text("nexthop6", kIpv6, gateway.nexthop6);
    reader.texts("hosts", kName, gateway.hosts);
    if (gateway.address) gateway.snat = {{*gateway.address, *gateway.address}};
    reader.texts("snat", kRange, gateway.snat);
    if (gateway.name.empty()) return;
    const auto name = gateway.name;
    add(reader, topology.gateways, name, std::move(gateway), "name", fmt::format("gateway '{}'", name));
}

void read_floating_ip(TableReader& reader, Topology& topology) {
    FloatingIp floating{.origin = reader.origin()};
    reader.require("address");
    reader.require("port");
    reader.require("gateway");
    const bool named = reader.text("address", kIpv4, floating.address);
    reader.text("port", kName, floating.port);
    reader.text("gateway", kName, floating.gateway);
    reader.boolean("distributed", floating.distributed);
    if (!named) return;
    const auto address = floating.address;
    add(reader, topology.floating_ips, address, std::move(floating), "address",
        fmt::format("floating IP {}", address.to_string()));
}

void read_port_forward(TableReader& reader, Topology& topology) {
    PortForward forward{.origin = reader.origin()};
    for (const auto* key : {"gateway", "address", "protocol", "ports", "to"})
        reader.require(key);
    reader.text("gateway", kName, forward.gateway);
    const bool address = reader.text("address", kIpv4, forward.address);
    const bool protocol = reader.text("protocol", kForwardProtocol, forward.protocol);
    const bool ports = reader.text("ports", kPorts, forward.ports);
    Target target;
    if (reader.text("to", kTarget, target)) {
        forward.to_port = std::move(target.port);
        forward.to_ports = target.ports;
    }
    if (!address || !protocol || !ports) return;
    const auto name = forward.name();
    add(reader, topology.port_forwards, name, std::move(forward), "ports", fmt::format("port forward {}", name));
}

} // namespace weft::topology
