#include "cli/import_convert.hpp"

#include "cli/import_forwards.hpp"
#include "cli/import_outside.hpp"
#include "cli/import_xml.hpp"
#include "topology/form.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <tuple>

namespace weft::cli {
namespace {

void add_networks(const HostTexts& texts, Networks& networks, Draft& draft) {
    std::vector<LibvirtNetwork> read;
    for (const auto& text : texts.networks) {
        if (auto network = read_libvirt_network(text))
            read.push_back(std::move(*network));
        else
            draft.lost.emplace_back("a network whose XML is not understood");
    }
    // libvirt's order is none.
    std::ranges::sort(read, {}, &LibvirtNetwork::name);
    for (auto& network : read)
        networks.add(std::move(network));
    networks.add_routes();
}

void add_ports(const HostTexts& texts, Ports& ports, Draft& draft) {
    using Domain = std::pair<std::optional<LibvirtDomain>, std::optional<LibvirtDomain>>;
    std::vector<Domain> domains;
    for (const auto& [live, persistent] : texts.domains) {
        Domain domain{read_libvirt_domain(live), read_libvirt_domain(persistent)};
        if (!domain.first && !domain.second) draft.lost.emplace_back("a domain whose XML is not understood");
        domains.push_back(std::move(domain));
    }
    std::ranges::sort(domains, {}, [](const Domain& domain) {
        return domain.first ? domain.first->name : domain.second ? domain.second->name : std::string();
    });
    for (const auto& [live, persistent] : domains)
        ports.add(live, persistent);
    ports.add_addresses();
}

/// All translations once: a hook's rule is also in the kernel, and what iptables made nft shows too.
std::vector<Dnat> read_translations(const HostTexts& texts, Draft& draft) {
    std::vector<Dnat> dnats;
    for (const auto& text : texts.forwards) {
        const auto read = read_forwards(text);
        for (const auto& rule : read.rules) {
            const auto what = [](const Dnat& dnat) {
                return std::tie(dnat.address, dnat.protocol, dnat.ports, dnat.target, dnat.target_ports);
            };
            const auto same = std::ranges::find_if(dnats, [&](const Dnat& dnat) { return what(dnat) == what(rule); });
            if (same == dnats.end())
                dnats.push_back(rule);
            else if (same->vm.empty())
                same->vm = rule.vm;
        }
        for (const auto& sentence : read.unread)
            draft.lost.push_back(clean(sentence));
    }
    return dnats;
}

} // namespace

Draft import_host(const HostTexts& texts) {
    Draft draft;
    Names names(draft.lost);
    Networks networks(draft, names);
    Ports ports(draft, names, networks);
    draft.host.name = names.take("host", texts.name);
    if (topology::form::libvirt_uri(texts.uri) && !topology::has_password(texts.uri) && clean(texts.uri) == texts.uri)
        draft.host.libvirt = texts.uri;
    for (const auto& sentence : texts.unread)
        draft.lost.push_back(clean(sentence));
    add_networks(texts, networks, draft);
    add_ports(texts, ports, draft);
    networks.add_uplinks();
    const auto dnats = read_translations(texts, draft);
    add_outside(draft, names, networks, ports, dnats);
    if (draft.routers.empty() && !dnats.empty())
        draft.lost.push_back(fmt::format("{} DNAT rules: no network of libvirt's is behind a gateway", dnats.size()));
    return draft;
}

} // namespace weft::cli
