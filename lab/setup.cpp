#include "lab/setup.hpp"

#include <fmt/format.h>
#include <iterator>

namespace weft::lab {
namespace {

template <class... Args>
void line(std::string& text, fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
    text += '\n';
}

std::string mac_words(const Device& device) {
    return device.mac ? fmt::format(" address {}", device.mac->to_string()) : "";
}

void add_link(std::string& text, const Link& link) {
    line(text, "link add name {} netns {}{} mtu {} type veth peer name {} netns {}{} mtu {}", link.near.name,
         link.near.netns, mac_words(link.near), link.mtu, link.far.name, link.far.netns, mac_words(link.far), link.mtu);
}

void append(VsctlArguments& arguments, std::initializer_list<std::string> more) {
    arguments.push_back("--");
    arguments.insert(arguments.end(), more);
}

void add_bridge(VsctlArguments& arguments, const std::string& name, const std::string& fail_mode) {
    append(arguments, {"add-br", name});
    append(arguments, {"set", "bridge", name, "datapath_type=netdev", "fail_mode=" + fail_mode});
}

void plug(VsctlArguments& arguments, const HostPlan& host, const EndpointPlan& port) {
    const std::string& device = port.plug().far.name;
    append(arguments, {"add-port", host.bridge, device});
    append(arguments, {"set", "interface", device, "external_ids:iface-id=" + port.name});
}

bool is_port_of(const EndpointPlan& endpoint, const HostPlan& host) {
    return endpoint.kind == EndpointKind::port && endpoint.host == host.name;
}

// A namespace whose interfaces belong to an OVS: the kernel there is silent on every one of them but its own.
void silence(NamespaceSetup& setup) {
    setup.sysctls.emplace_back("ipv6/conf/default/disable_ipv6", "1");
    // Strict: what an OVS forwards is not taken for the namespace's own by the kernel that sees it too.
    setup.sysctls.emplace_back("ipv4/conf/default/rp_filter", "1");
}

NamespaceSetup host_setup(const HostPlan& host) {
    NamespaceSetup setup;
    silence(setup);
    setup.sysctls.emplace_back("ipv6/conf/all/accept_dad", "0");
    setup.sysctls.emplace_back("ipv6/conf/default/accept_dad", "0");
    line(setup.ip, "link set lo up");
    line(setup.ip, "address add {}/16 dev {}", host.control.to_string(), kControlDevice);
    line(setup.ip, "link set {} up", kControlDevice);
    setup.ip += switch_port_lines(std::string(kUnderlayDevice));
    for (const auto& [physnet, link] : host.uplinks)
        setup.ip += switch_port_lines(link.near.name);
    return setup;
}

NamespaceSetup underlay_setup(const LabPlan& plan) {
    NamespaceSetup setup;
    silence(setup);
    line(setup.ip, "link set lo up");
    for (const char* bridge : {"underlay", "control"})
        line(setup.ip, "link add {} up type bridge mcast_snooping 0", bridge);
    const auto attach = [&](const Link& link, const char* bridge) {
        line(setup.ip, "link set {} master {} up", link.far.name, bridge);
    };
    attach(plan.control_link, "control");
    for (const auto& host : plan.hosts) {
        attach(host.control_link, "control");
        attach(host.underlay_link, "underlay");
    }
    return setup;
}

NamespaceSetup endpoint_setup(const EndpointPlan& endpoint) {
    NamespaceSetup setup;
    // Addresses are usable at once: a duplicate is the topology's mistake, and validate has told it.
    setup.sysctls = {{"ipv6/conf/all/accept_dad", "0"},
                     {"ipv6/conf/default/accept_dad", "0"},
                     {"ipv4/conf/all/rp_filter", "0"},
                     {"ipv4/conf/default/rp_filter", "0"}};
    if (endpoint.nics.size() > 1) {
        setup.sysctls.emplace_back("ipv4/conf/all/arp_ignore", "1");
        setup.sysctls.emplace_back("ipv4/conf/all/arp_announce", "2");
    }
    if (endpoint.kind == EndpointKind::lab_endpoint) {
        setup.sysctls.emplace_back("ipv4/ip_forward", "1");
        setup.sysctls.emplace_back("ipv6/conf/all/forwarding", "1");
        setup.sysctls.emplace_back("ipv6/conf/default/forwarding", "1");
    }
    line(setup.ip, "link set lo up");
    for (const auto& nic : endpoint.nics)
        write_nic(nic, setup);
    return setup;
}

// The device comes up long before anybody answers on it: it asks every second, and stops with the first answer.
void solicit_routers(const Nic& nic, NamespaceSetup& setup) {
    const auto set = [&](const char* name, int value) {
        setup.device_sysctls.emplace_back(fmt::format("ipv6/conf/{}/{}", nic.link.near.name, name),
                                          std::to_string(value));
    };
    set("accept_ra", 1);
    set("router_solicitation_delay", 0);
    set("router_solicitation_interval", 1);
    set("router_solicitation_max_interval", 1);
    if (nic.vlan) set("ra_defrtr_metric", kTrunkTable + nic.vlan);
}

} // namespace

std::string switch_port_lines(const std::string& device) {
    return fmt::format("link set {} arp off up\n", device);
}

void write_nic(const Nic& nic, NamespaceSetup& setup) {
    const std::string& device = nic.link.near.name;
    if (nic.source6 != Source::fixed) solicit_routers(nic, setup);
    line(setup.ip, "link set {} up", device);
    for (const auto& address : nic.addresses)
        if (nic.source(address.address) == Source::fixed)
            line(setup.ip, "address add {} dev {}{}", address.to_string(), device,
                 address.address.is_v6() ? " nodad" : "");
    // A trunk's sub-networks each have a router: what leaves with a sub-network's address leaves by that sub-network.
    const std::string metric = nic.vlan ? fmt::format(" metric {}", kTrunkTable + nic.vlan) : "";
    for (const auto& route : nic.routes) {
        if (nic.source(route.via) != Source::fixed && !route.by_hand) continue;
        const std::string to = route.prefix ? route.prefix->to_string() : "default";
        line(setup.ip, "route add {} via {} dev {}{}{}", to, route.via.to_string(), device, metric,
             route.by_hand ? " onlink" : ""); // the subnet's own route comes with an advertisement
    }
    if (!nic.vlan || nic.routes.empty()) return;
    const int table = kTrunkTable + nic.vlan;
    // The kernel empties the table when the last IPv4 address goes: a DHCP client's script fills it each time. Of IPv6
    // the table stays, and the kernel puts what routers advertise in the main one only.
    const auto leased = [&](const Ip& ip) { return nic.source(ip) == Source::dhcp && ip.is_v4(); };
    for (const auto& address : nic.addresses) {
        const Prefix subnet{address.network(), address.length};
        if (!leased(address.address)) line(setup.ip, "route add {} dev {} table {}", subnet.to_string(), device, table);
        line(address.address.is_v6() ? setup.ip6 : setup.ip, "rule add from {} lookup {}", address.address.to_string(),
             table);
    }
    for (const auto& route : nic.routes)
        if (!leased(route.via))
            line(setup.ip, "route add {} via {} dev {} table {}", route.prefix ? route.prefix->to_string() : "default",
                 route.via.to_string(), device, table);
}

std::string namespace_batch(const LabPlan& plan) {
    std::string text;
    for (const auto& netns : plan.namespaces())
        line(text, "netns add {}", netns);
    return text;
}

std::string link_batch(const LabPlan& plan) {
    std::string text;
    add_link(text, plan.control_link);
    for (const auto& host : plan.hosts) {
        add_link(text, host.control_link);
        add_link(text, host.underlay_link);
        for (const auto& [physnet, link] : host.uplinks)
            add_link(text, link);
    }
    for (const auto& endpoint : plan.endpoints) {
        for (const auto& nic : endpoint.nics)
            add_link(text, nic.link);
        if (endpoint.trunk) add_link(text, *endpoint.trunk);
    }
    return text;
}

std::map<std::string, NamespaceSetup> namespace_setups(const LabPlan& plan) {
    std::map<std::string, NamespaceSetup> setups;
    setups[plan.underlay_netns] = underlay_setup(plan);
    NamespaceSetup& control = setups[plan.control_netns];
    line(control.ip, "link set lo up");
    line(control.ip, "address add {}/16 dev {}", plan.control.to_string(), kControlDevice);
    line(control.ip, "link set {} up", kControlDevice);
    for (const auto& host : plan.hosts)
        setups[host.netns] = host_setup(host);

    NamespaceSetup* switches = plan.has_switch() ? &setups[plan.switch_netns] : nullptr;
    if (switches) {
        silence(*switches);
        line(switches->ip, "link set lo up");
    }
    for (const auto& [physnet, planned] : plan.physnets)
        for (const auto& [device, vlan] : planned.ports)
            switches->ip += switch_port_lines(device);
    for (const auto& endpoint : plan.endpoints) {
        setups[endpoint.netns] = endpoint_setup(endpoint);
        if (endpoint.kind == EndpointKind::port)
            setups[endpoint.plug().far.netns].ip += switch_port_lines(endpoint.plug().far.name);
        if (!endpoint.trunk) continue;
        switches->ip += switch_port_lines(endpoint.trunk->near.name);
        for (const auto& nic : endpoint.nics)
            switches->ip += switch_port_lines(nic.link.far.name);
    }
    return setups;
}

VsctlArguments underlay_rows(const HostPlan& host) {
    VsctlArguments arguments;
    append(arguments, {"set", "open_vswitch", ".", "external_ids:hostname=" + host.name});
    add_bridge(arguments, "br-phy", "standalone");
    append(arguments, {"add-port", "br-phy", std::string(kUnderlayDevice)});
    return arguments;
}

VsctlArguments plug_rows(const LabPlan& plan, const HostPlan& host, bool make_bridge) {
    VsctlArguments arguments;
    if (make_bridge)
        add_bridge(arguments, host.bridge, "standalone");
    else
        append(arguments, {"wait-until", "bridge", host.bridge});
    bool any = make_bridge;
    for (const auto& endpoint : plan.endpoints) {
        if (!is_port_of(endpoint, host)) continue;
        plug(arguments, host, endpoint);
        any = true;
    }
    return any ? arguments : VsctlArguments{};
}

VsctlArguments plug_rows(const HostPlan& host, const EndpointPlan& port) {
    VsctlArguments arguments;
    plug(arguments, host, port);
    return arguments;
}

VsctlArguments switch_rows(const LabPlan& plan) {
    VsctlArguments arguments;
    // A switch sends at once to where a MAC was seen last. Open vSwitch's bridge goes on as before until its main loop
    // runs, which the revalidators wake: each half second, unless told otherwise, and 100 ms is the least that can be
    // said (ovs-vswitchd.conf.db(5), max-revalidator).
    append(arguments, {"set", "open_vswitch", ".", "other_config:max-revalidator=100"});
    for (const auto& [physnet, planned] : plan.physnets) {
        add_bridge(arguments, planned.bridge, "standalone");
        for (const auto& [device, vlan] : planned.ports) {
            append(arguments, {"add-port", planned.bridge, device});
            if (vlan) arguments.push_back(fmt::format("tag={}", *vlan));
        }
    }
    bool splitter = false;
    std::uint32_t ofport = 0;
    const auto attach = [&](const std::string& device) {
        append(arguments, {"add-port", std::string(kSplitter), device});
        append(arguments, {"set", "interface", device, fmt::format("ofport_request={}", ++ofport)});
    };
    for (const auto& endpoint : plan.endpoints) {
        if (!endpoint.trunk) continue;
        if (!splitter) add_bridge(arguments, std::string(kSplitter), "secure");
        splitter = true;
        attach(endpoint.trunk->near.name);
        for (const auto& nic : endpoint.nics)
            attach(nic.link.far.name);
    }
    return arguments;
}

// eth0 sees and sends everything that no sub-network takes, tags included, as the parent of VLAN devices does.
std::string splitter_flows(const LabPlan& plan) {
    std::string text;
    std::uint32_t ofport = 0; // counted as in switch_rows
    for (const auto& endpoint : plan.endpoints) {
        if (!endpoint.trunk) continue;
        const std::uint32_t trunk = ++ofport;
        for (const auto& nic : endpoint.nics) {
            const std::uint32_t access = ++ofport;
            if (nic.vlan == 0) {
                line(text, "priority=1,in_port={} actions=output:{}", trunk, access);
                line(text, "priority=1,in_port={} actions=output:{}", access, trunk);
                continue;
            }
            line(text, "priority=2,in_port={},dl_vlan={} actions=pop_vlan,output:{}", trunk, nic.vlan, access);
            line(text, "priority=1,in_port={} actions=push_vlan:0x8100,set_field:{}->vlan_vid,output:{}", access,
                 nic.vlan | 0x1000, trunk);
        }
    }
    return text;
}

std::string underlay_address_lines(const HostPlan& host) {
    return fmt::format("address replace {} dev br-phy{}\nlink set br-phy mtu {} up\n", host.vtep.to_string(),
                       host.vtep.address.is_v6() ? " nodad" : "", host.underlay_link.mtu);
}

std::string weftd_settings(const LabPlan& plan, const std::string& directory,
                           const std::map<std::string, std::string>& libvirt_uris) {
    std::string text;
    line(text, "openflow = \"tcp:{}:{}\"", plan.control.to_string(), kOpenflowPort);
    line(text, "api = [\"unix:{}/api.sock\", \"http:127.0.0.1:{}\"]", directory, kPagePort);
    line(text, "state_dir = \"{}/state\"", directory);
    line(text, "advertise = \"{}\"", plan.control.to_string());
    for (const auto& host : plan.hosts) {
        line(text, "\n[host.\"{}\"]", host.name);
        line(text, "ovsdb = \"tcp:{}:{}\"", host.control.to_string(), kOvsdbPort);
        line(text, "vtep = \"{}\"", host.vtep.address.to_string());
        line(text, "datapath = \"netdev\"");
        // Empty where there is none: what the topology names is not of the lab.
        const auto uri = libvirt_uris.find(host.name);
        line(text, "libvirt = \"{}\"", uri == libvirt_uris.end() ? "" : uri->second);
    }
    return text;
}

} // namespace weft::lab
