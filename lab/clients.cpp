#include "lab/clients.hpp"

#include "lab/record.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>

namespace weft::lab {
namespace {

namespace fs = std::filesystem;

// udhcpc gives the event as the first word, dhclient as $reason. An IPv4 lease is kept as lines of `ip -batch` with @
// for a verb: a renewal replaces each by itself, which no connection notices, and deletes what is no longer leased.
constexpr const char* kScript = R"sh(#!/bin/sh
# What DHCP clients of a lab do with their leases. From weft-lab: $directory, the endpoint's; $metric, the metric and routing
# table of a trunk's sub-network.
cd "$directory" || exit 1

network() (
    IFS=.
    set -- $ip $subnet
    echo "$(($1 & $5)).$(($2 & $6)).$(($3 & $7)).$(($4 & $8))/$mask"
)

route() {
    echo "route @ $*${metric:+ metric $metric}"
    [ -z "$metric" ] || echo "route @ $* table $metric"
}

lease() {
    echo "address @ $ip/$mask dev $interface"
    [ -z "$metric" ] || echo "route @ $(network) dev $interface table $metric"
    # RFC 3442: with classless static routes there is no router; a gateway of 0.0.0.0 is the link itself.
    set -- $staticroutes
    [ $# -gt 0 ] || set -- ${router:+0.0.0.0/0 ${router%% *}}
    while [ $# -ge 2 ]; do
        if [ "$2" = 0.0.0.0 ]; then route "$1" dev "$interface"; else route "$1" via "$2" dev "$interface"; fi
        shift 2
    done
}

# resolver FILE DOMAINS SERVERS: this lease's share, then resolv.conf of everyone's, in place, for it may be mounted.
resolver() {
    {
        printf 'search %s\n' $2
        printf 'nameserver %s\n' $3
    } | grep ' .' >"$1"
    domains=$(cat dns.* | sed -n 's/^search //p' | awk '!seen[$0]++' | tr '\n' ' ')
    text=$(
        [ -z "$domains" ] || echo "search ${domains% }"
        cat dns.* | grep '^nameserver' | awk '!seen[$0]++'
    )
    [ "$text" = "$(cat etc/resolv.conf)" ] || printf '%s\n' "$text" >etc/resolv.conf
}

case ${reason:-$1} in
deconfig)
    ip -4 address flush dev "$interface"
    rm -f "lease.$interface"
    resolver "dns.$interface" "" ""
    ;;
bound | renew)
    lease >"new.$interface"
    if [ -f "lease.$interface" ]; then
        grep -Fxvf "new.$interface" "lease.$interface" | sed 's/@/delete/' | ip -4 -force -batch - 2>/dev/null
    fi
    sed 's/@/replace/' "new.$interface" | ip -4 -force -batch -
    mv "new.$interface" "lease.$interface"
    [ -z "$mtu" ] || ip link set dev "$interface" mtu "$mtu"
    resolver "dns.$interface" "${search:-$domain}" "$dns"
    ;;
BOUND6 | RENEW6 | REBIND6)
    # What is on link is for router advertisements to say.
    [ "${old_ip6_address:-$new_ip6_address}" = "$new_ip6_address" ] ||
        ip -6 address delete "$old_ip6_address/128" dev "$interface"
    ip -6 address replace "$new_ip6_address/128" dev "$interface" nodad
    servers=
    for server in $new_dhcp6_name_servers; do
        case $server in fe80:*) server=$server%$interface ;; esac
        servers="$servers $server"
    done
    resolver "dns.$interface-6" "$new_dhcp6_domain_search" "${servers# }"
    ;;
EXPIRE6 | RELEASE6 | STOP6)
    ip -6 address delete "$old_ip6_address/128" dev "$interface"
    resolver "dns.$interface-6" "" ""
    ;;
esac
exit 0
)sh";

std::string script_path(const std::string& lab) {
    return lab_directory(lab) + "/lease";
}

// Forever, a question a second: the first ones are lost, for flows are not there yet.
Command udhcpc(const LabPlan& plan, const EndpointPlan& endpoint, const Nic& nic) {
    Command command{.argv = {"udhcpc", "-f", "-i", nic.link.near.name, "-s", script_path(plan.name), "-t", "5", "-T",
                             "1", "-A", "1"},
                    .netns = endpoint.netns};
    for (const char* option : {"subnet", "router", "dns", "domain", "search", "mtu", "ntpsrv", "staticroutes"})
        command.argv.insert(command.argv.end(), {"-O", option});
    command.environment["directory"] = endpoint_directory(plan.name, endpoint.name);
    command.environment["metric"] = nic.vlan ? std::to_string(kTrunkTable + nic.vlan) : "";
    return command;
}

// Its environment does not reach the script; -e does. The DUID is made of the MAC alone: the same in every lab.
Command dhclient(const LabPlan& plan, const EndpointPlan& endpoint, const Nic& nic) {
    const std::string directory = endpoint_directory(plan.name, endpoint.name);
    const std::string& device = nic.link.near.name;
    return {.argv = {"dhclient", "-6", "-d", "-D", "LL", "-cf", "/dev/null", "-lf", directory + "/leases6." + device,
                     "-pf", directory + "/dhclient." + device + ".pid", "-sf", script_path(plan.name), "-e",
                     "directory=" + directory, device},
            .netns = endpoint.netns};
}

Result<void> write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text;
    file.flush();
    if (!file) return fail(ErrorKind::io, fmt::format("{}: cannot be written", path));
    return {};
}

} // namespace

std::string endpoint_etc(const std::string& lab, const std::string& endpoint) {
    return endpoint_directory(lab, endpoint) + "/etc";
}

std::vector<Client> clients(const LabPlan& plan) {
    std::vector<Client> all;
    for (const auto& endpoint : plan.endpoints)
        for (const auto& nic : endpoint.nics) {
            if (nic.source4 == Source::dhcp) all.push_back({endpoint.name, udhcpc(plan, endpoint, nic)});
            if (nic.source6 == Source::dhcp) all.push_back({endpoint.name, dhclient(plan, endpoint, nic)});
        }
    return all;
}

std::map<std::string, std::string> client_programs(const LabPlan& plan) {
    std::map<std::string, std::string> programs;
    for (const auto& client : clients(plan)) {
        const std::string& program = client.command.argv.front();
        programs[program] = program == "udhcpc" ? "udhcpc" : "isc-dhcp-client";
    }
    return programs;
}

Result<void> write_endpoint_files(const LabPlan& plan) {
    std::error_code error;
    for (const auto& endpoint : plan.endpoints) {
        const std::string etc = endpoint_etc(plan.name, endpoint.name);
        fs::create_directories(etc, error);
        if (error) return fail(ErrorKind::io, fmt::format("{}: {}", etc, error.message()));
        if (auto written = write_file(etc + "/resolv.conf", ""); !written) return written;
    }
    const std::string script = script_path(plan.name);
    if (auto written = write_file(script, kScript); !written) return written;
    fs::permissions(script, fs::perms::owner_all | fs::perms::group_read | fs::perms::others_read, error);
    if (error) return fail(ErrorKind::io, fmt::format("{}: {}", script, error.message()));
    return {};
}

Result<void> start_clients(const LabPlan& plan) {
    for (const auto& client : clients(plan))
        if (auto started = start(client.command, endpoint_directory(plan.name, client.endpoint) + "/dhcp.log");
            !started)
            return std::unexpected(started.error());
    return {};
}

} // namespace weft::lab
