#include "cli/import_libvirt.hpp"

#include "virt/libvirt.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::cli {
namespace {

using virt::last_failure;
using virt::taken;
using Lease = std::unique_ptr<virNetworkDHCPLease, virt::Freed<virNetworkDHCPLeaseFree>>;

std::vector<DhcpLease> leases_of(virNetwork* network) {
    virNetworkDHCPLeasePtr* list = nullptr;
    // Networks without DHCP, stopped ones and some drivers have none: no error of ours.
    const int count = virNetworkGetDHCPLeases(network, nullptr, &list, 0);
    std::vector<DhcpLease> leases;
    for (const auto& lease : virt::owned<Lease>(list, count)) {
        const auto mac = Mac::parse(lease->mac != nullptr ? lease->mac : "");
        const auto ip = Ip::parse(lease->ipaddr != nullptr ? lease->ipaddr : "");
        if (mac && ip) leases.push_back({*mac, *ip});
    }
    return leases;
}

Result<> read_networks(virConnect* connection, HostTexts& into) {
    virNetworkPtr* list = nullptr;
    const int count = virConnectListAllNetworks(connection, &list, 0);
    if (count < 0)
        return fail(ErrorKind::io, fmt::format("libvirt does not list its networks: {}", last_failure().message));
    for (const auto& network : virt::owned<virt::NetworkHandle>(list, count)) {
        auto* text = virNetworkGetXMLDesc(network.get(), 0); // as it runs, or would
        if (text == nullptr)
            into.unread.push_back(
                fmt::format("network '{}': {}", virNetworkGetName(network.get()), last_failure().message));
        else
            into.networks.push_back({taken(text), leases_of(network.get())});
    }
    return {};
}

Result<> read_domains(virConnect* connection, HostTexts& into) {
    virDomainPtr* list = nullptr;
    const int count = virConnectListAllDomains(connection, &list, 0);
    if (count < 0)
        return fail(ErrorKind::io, fmt::format("libvirt does not list its domains: {}", last_failure().message));
    for (const auto& domain : virt::owned<virt::DomainHandle>(list, count)) {
        DomainText text;
        if (virDomainIsActive(domain.get()) == 1) text.live = taken(virDomainGetXMLDesc(domain.get(), 0));
        if (virDomainIsPersistent(domain.get()) == 1)
            text.persistent = taken(virDomainGetXMLDesc(domain.get(), VIR_DOMAIN_XML_INACTIVE));
        if (text.live.empty() && text.persistent.empty())
            into.unread.push_back(
                fmt::format("domain '{}': {}", virDomainGetName(domain.get()), last_failure().message));
        else
            into.domains.push_back(std::move(text));
    }
    return {};
}

void read_hook(const std::filesystem::path& path, HostTexts& into) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) return;
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file.is_open() || file.bad())
        into.unread.push_back(fmt::format("{} cannot be read: port forwards in it are not seen", path.string()));
    else if (path.extension() == ".json")
        into.forwards.push_back({ForwardText::Form::hook_json, path.string(), std::move(text)});
    // A hook may be a program of any kind.
    else if (text.starts_with("#!"))
        into.forwards.push_back({ForwardText::Form::script, path.string(), std::move(text)});
}

void read_hooks(HostTexts& into) {
    const std::filesystem::path hooks = "/etc/libvirt/hooks";
    for (const auto* name : {"qemu", "network", "hooks.json", "qemu.json"})
        read_hook(hooks / name, into);
    for (const auto* name : {"qemu.d", "network.d"}) {
        std::error_code error;
        std::vector<std::filesystem::path> paths;
        for (auto entry = std::filesystem::directory_iterator(hooks / name, error);
             !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
            paths.push_back(entry->path());
        std::ranges::sort(paths);
        for (const auto& path : paths)
            read_hook(path, into);
    }
}

/// What a program says on its standard output; nothing if there is no such program, or it fails.
std::optional<std::string> output_of(const std::string& command) {
    // An ordinary user's PATH has no sbin.
    auto* pipe = ::popen(("PATH=$PATH:/usr/sbin:/sbin; exec " + command + " 2>/dev/null </dev/null").c_str(), "r");
    if (pipe == nullptr) return std::nullopt;
    std::string output;
    std::array<char, 4096> buffer{};
    while (const auto count = std::fread(buffer.data(), 1, buffer.size(), pipe))
        output.append(buffer.data(), count);
    const int status = ::pclose(pipe);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
    return output;
}

void read_rules(HostTexts& into) {
    auto iptables = output_of("iptables-save -t nat");
    auto nft = output_of("nft list ruleset");
    if (!iptables && !nft)
        into.unread.emplace_back(
            "neither iptables-save nor nft says the host's NAT rules (are you root?): port forwards "
            "there are not seen");
    if (iptables) into.forwards.push_back({ForwardText::Form::iptables_save, "iptables-save", std::move(*iptables)});
    if (nft) into.forwards.push_back({ForwardText::Form::nft, "nft", std::move(*nft)});
}

} // namespace

bool is_local(const std::string& uri) {
    const auto scheme = uri.substr(0, uri.find("://"));
    const auto plus = scheme.find('+');
    if (scheme.size() == uri.size() || scheme.starts_with("test")) return false;
    return uri.substr(scheme.size()).starts_with(":///") &&
           (plus == std::string::npos || scheme.substr(plus + 1) == "unix");
}

Result<HostTexts> read_libvirt_host(const std::string& uri) {
    // Errors are in what we return; libvirt would print them too.
    virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});
    const virt::Connection connection(virConnectOpenReadOnly(uri.c_str()));
    if (!connection) {
        const auto reason = last_failure().message;
        return fail(ErrorKind::io,
                    fmt::format("cannot reach libvirt at {}: {}; {}", uri, reason,
                                is_local(uri) ? "is libvirtd running? systemctl status libvirtd"
                                              : "is the host up, and does virsh -c URI list work from here?"));
    }
    HostTexts texts{.uri = taken(virConnectGetURI(connection.get())),
                    .name = taken(virConnectGetHostname(connection.get()))};
    if (texts.uri.empty()) texts.uri = uri;
    if (auto read = read_networks(connection.get(), texts); !read) return std::unexpected(read.error());
    if (auto read = read_domains(connection.get(), texts); !read) return std::unexpected(read.error());
    if (is_local(uri)) {
        read_hooks(texts);
        read_rules(texts);
    } else {
        texts.unread.emplace_back(
            "hooks and NAT rules of another host are not read: run this there for its port forwards");
    }
    return texts;
}

} // namespace weft::cli
