#include "cli/import_toml.hpp"

#include "topology/form.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weft::cli {
namespace {

using topology::Rate;

std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : clean(text)) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result + '"';
}

/// A key of TOML: bare where it can be.
std::string key_text(const std::string& text) {
    const bool bare = text.find('.') == std::string::npos; // names have nothing else that a bare key has not
    return bare ? text : quoted(text);
}

template <class Range, class Text>
std::string list(const Range& values, Text text) {
    std::vector<std::string> items;
    items.reserve(values.size());
    for (const auto& value : values)
        items.push_back(quoted(text(value)));
    return fmt::format("[{}]", fmt::join(items, ", "));
}

std::string rate_text(std::uint64_t bits) {
    constexpr std::array<const char*, 4> kSuffixes{"bit", "kbit", "mbit", "gbit"};
    std::size_t suffix = 0;
    for (; suffix + 1 < kSuffixes.size() && bits % 1000 == 0; ++suffix)
        bits /= 1000;
    return fmt::format("{}{}", bits, kSuffixes[suffix]);
}

std::string burst_text(std::uint64_t bits) {
    return bits % 8192 == 0 ? fmt::format("{}KiB", bits / 8192) : rate_text(bits);
}

std::string duration_text(std::chrono::seconds duration) {
    const auto seconds = duration.count();
    if (seconds % 86400 == 0) return fmt::format("{}d", seconds / 86400);
    if (seconds % 3600 == 0) return fmt::format("{}h", seconds / 3600);
    if (seconds % 60 == 0) return fmt::format("{}m", seconds / 60);
    return fmt::format("{}s", seconds);
}

std::string table(const Rate& rate) {
    // 400 ms of the rate is what an absent burst is.
    const bool standard = rate.burst_bits == rate.bits_per_second * 2 / 5;
    return fmt::format("{{ rate = {}{} }}", quoted(rate_text(rate.bits_per_second)),
                       standard ? "" : ", burst = " + quoted(burst_text(rate.burst_bits)));
}

std::string table(const topology::Dhcp& dhcp) {
    std::vector<std::string> keys;
    if (dhcp.range) keys.push_back("range = " + quoted(dhcp.range->to_string()));
    if (dhcp.lease != topology::Dhcp{}.lease) keys.push_back("lease = " + quoted(duration_text(dhcp.lease)));
    if (!dhcp.dns.empty()) keys.push_back("dns = " + list(dhcp.dns, [](const Ip& ip) { return ip.to_string(); }));
    if (!dhcp.domain.empty()) keys.push_back("domain = " + quoted(dhcp.domain));
    return keys.empty() ? std::string() : fmt::format("{{ {} }}", fmt::join(keys, ", "));
}

class Writer {
  public:
    std::string take() && { return std::move(text_); }

    void section(std::string_view title) {
        text_ +=
            fmt::format("\n# ---- {} {:-<{}}\n", title, "", std::max<int>(1, 113 - static_cast<int>(title.size())));
    }
    void comment(std::string_view line) { text_ += "# " + clean(line) + "\n"; }
    void comments(const std::vector<std::string>& lines) {
        for (const auto& line : lines)
            comment(line);
    }
    void begin(std::string_view kind, const std::vector<std::string>& lines = {}) {
        text_ += "\n";
        comments(lines);
        line(fmt::format("[[{}]]", kind));
    }
    void line(std::string_view toml) { text_ += fmt::format("{}{}\n", by_hand_ ? "#" : "", toml); }
    void raw(std::string_view key, std::string_view value) { line(fmt::format("{} = {}", key, value)); }
    void key(std::string_view key, std::string_view value) {
        if (!value.empty()) raw(key, quoted(value));
    }
    template <class T>
    void key(std::string_view name, const std::optional<T>& value) {
        if (value) raw(name, quoted(value->to_string()));
    }
    /// From here on, or no more: what has to be completed by hand.
    void by_hand(bool on) { by_hand_ = on; }

  private:
    std::string text_;
    bool by_hand_ = false;
};

void write(Writer& writer, const Draft& draft) {
    const auto& host = draft.host;
    writer.begin("host");
    writer.key("name", host.name);
    writer.key("libvirt", host.libvirt);
    for (const auto& uplink : draft.uplinks) {
        writer.by_hand(!uplink.known);
        writer.raw("uplinks." + key_text(uplink.physnet), quoted(uplink.device));
    }
    writer.by_hand(true);
    writer.key("ovsdb", "tcp:192.0.2.11:6640");
    writer.key("vtep", "192.0.2.11");
    writer.key("datapath", "system");
    writer.by_hand(false);
}

void write(Writer& writer, const topology::Network& network) {
    writer.key("name", network.name);
    writer.key("kind", topology::name_of(network.kind));
    writer.key("physnet", network.physnet);
    if (network.vlan) writer.raw("vlan", std::to_string(*network.vlan));
    if (network.mtu != topology::Network{}.mtu) writer.raw("mtu", std::to_string(network.mtu));
    writer.key("subnet", network.subnet);
    writer.key("gateway", network.gateway);
    writer.key("subnet6", network.subnet6);
    writer.key("gateway6", network.gateway6);
    if (network.dhcp) {
        if (const auto dhcp = table(*network.dhcp); !dhcp.empty()) writer.raw("dhcp", dhcp);
    } else if (!network.physical() && (network.subnet || network.subnet6)) {
        writer.raw("dhcp", "false");
    }
    if (!network.reserved.empty())
        writer.raw("reserved", list(network.reserved, [](const auto& range) { return range.to_string(); }));
}

void write(Writer& writer, const topology::Router& router) {
    writer.key("name", router.name);
    writer.raw("networks", list(router.networks, [](const auto& name) { return name; }));
    writer.by_hand(true);
    writer.key("gateway", router.gateway);
    writer.by_hand(false);
    std::vector<std::string> routes;
    routes.reserve(router.routes.size());
    for (const auto& route : router.routes)
        routes.push_back(fmt::format("{{ prefix = {}, via = {} }}", quoted(route.prefix.to_string()),
                                     quoted(route.via.to_string())));
    if (!routes.empty()) writer.raw("routes", fmt::format("[{}]", fmt::join(routes, ", ")));
}

void write(Writer& writer, const topology::Port& port) {
    writer.key("name", port.name);
    writer.key("network", port.network);
    writer.key("vm", port.vm);
    writer.key("mac", port.mac);
    writer.key("ip", port.ip);
    writer.key("ip6", port.ip6);
    writer.key("qos", port.qos);
    std::vector<std::string> trunk;
    trunk.reserve(port.trunk.size());
    for (const auto& entry : port.trunk)
        trunk.push_back(fmt::format("{{ network = {}, vlan = {} }}", quoted(entry.network), entry.vlan));
    if (!trunk.empty()) writer.raw("trunk", fmt::format("[{}]", fmt::join(trunk, ", ")));
    if (!port.native) writer.raw("native", "false");
}

void write(Writer& writer, const topology::Qos& qos) {
    writer.key("name", qos.name);
    if (qos.egress) writer.raw("egress", table(*qos.egress));
    if (qos.ingress) writer.raw("ingress", table(*qos.ingress));
}

void write(Writer& writer, const topology::Gateway& gateway) {
    writer.key("name", gateway.name);
    writer.key("network", gateway.network);
    writer.key("address", gateway.address);
    writer.key("nexthop", gateway.nexthop);
    writer.raw("hosts", list(gateway.hosts, [](const auto& name) { return name; }));
    // Absent: the gateway's address.
    const bool standard =
        gateway.address && gateway.snat == std::vector{topology::AddressRange{*gateway.address, *gateway.address}};
    if (!standard) writer.raw("snat", list(gateway.snat, [](const auto& range) { return range.to_string(); }));
}

void write(Writer& writer, const topology::PortForward& forward) {
    writer.key("gateway", forward.gateway);
    writer.key("address", forward.address.to_string());
    writer.key("protocol", forward.protocol.to_string());
    writer.key("ports", forward.ports.to_string());
    writer.key("to", forward.to_port + ":" + forward.to_ports.to_string());
}

void write(Writer& writer, const topology::FloatingIp& floating) {
    writer.key("address", floating.address.to_string());
    writer.key("port", floating.port);
    writer.key("gateway", floating.gateway);
}

template <class T>
void write_all(Writer& writer, std::string_view kind, const std::vector<Drafted<T>>& drafted) {
    for (const auto& [object, comments] : drafted) {
        writer.begin(kind, comments);
        write(writer, object);
    }
}

void write(Writer& writer, const Outside& outside) {
    writer.section("The outside");
    writer.comment(
        "What libvirt does not know: the uplink, the public network, the address, the router upstream. Put yours in,");
    writer.comment("then uncomment all of it, the host's uplink and the routers' `gateway`.");
    writer.by_hand(true);
    writer.begin("network");
    write(writer, outside.network);
    write_all(writer, "gateway", outside.gateways);
    if (!outside.forwards.empty() || !outside.floating_ips.empty()) writer.section("What the outside may reach");
    write_all(writer, "floating_ip", outside.floating_ips);
    write_all(writer, "port_forward", outside.forwards);
    writer.by_hand(false);
}

} // namespace

std::string to_toml(const Draft& draft) {
    Writer writer;
    writer.comment(fmt::format("The libvirt networks, NICs and port forwards of {} ({}), by `weftctl import libvirt`.",
                               draft.host.name, draft.host.libvirt));
    writer.comment(
        "It is valid as it is. Lines that begin with # and no blank are to be completed by hand: what they say is a");
    writer.comment(
        "placeholder, or stands on one. One file is for all hosts: of a network that several hosts have, keep one.");
    write(writer, draft);
    if (!draft.networks.empty()) writer.section("Networks");
    write_all(writer, "network", draft.networks);
    write_all(writer, "router", draft.routers);
    if (draft.outside) write(writer, *draft.outside);
    if (!draft.qos.empty()) writer.section("Rates");
    write_all(writer, "qos", draft.qos);
    if (!draft.ports.empty()) writer.section("NICs");
    write_all(writer, "port", draft.ports);
    return std::move(writer).take();
}

} // namespace weft::cli
