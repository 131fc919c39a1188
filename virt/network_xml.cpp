#include "virt/network_xml.hpp"

#include "base/ids.hpp"
#include "virt/xml.hpp"

#include <fmt/format.h>

namespace weft::virt {
namespace {

constexpr std::size_t kHashDigits = 16;

/// The namespace that `prefix` stands for at `node` (empty: the default one); empty if none is declared.
std::string_view namespace_at(pugi::xml_node node, std::string_view prefix) {
    const auto declaration = prefix.empty() ? std::string("xmlns") : fmt::format("xmlns:{}", prefix);
    for (; node; node = node.parent())
        if (const auto declared = node.attribute(declaration.c_str())) return declared.value();
    return {};
}

std::optional<std::string> mark_of(const pugi::xml_node& network) {
    for (const auto& element : network.child("metadata").children()) {
        const std::string_view name = element.name();
        const auto colon = name.find(':');
        const auto prefix = colon == std::string_view::npos ? std::string_view() : name.substr(0, colon);
        const auto local = colon == std::string_view::npos ? name : name.substr(colon + 1);
        if (local == "network" && namespace_at(element, prefix) == kMarkNamespace) return attribute(element, "name");
    }
    return std::nullopt;
}

std::string profile_of(const pugi::xml_node& virtualport) {
    for (const auto& parameters : virtualport.children("parameters"))
        if (const auto id = parameters.attribute("profileid")) return id.value();
    return {};
}

bool restricts(const pugi::xml_node& element) {
    return element.child("vlan") || element.child("bandwidth");
}

void append_virtualport(pugi::xml_node& parent, const std::string& type, const std::string& profile_id) {
    if (type.empty()) return;
    auto virtualport = parent.append_child("virtualport");
    virtualport.append_attribute("type") = type.c_str();
    if (!profile_id.empty()) virtualport.append_child("parameters").append_attribute("profileid") = profile_id.c_str();
}

void append_portgroup(pugi::xml_node parent, const std::string& name, const Portgroup& portgroup) {
    auto element = parent.append_child("portgroup");
    element.append_attribute("name") = name.c_str();
    if (portgroup.is_default) element.append_attribute("default") = "yes";
    append_virtualport(element, portgroup.virtualport, portgroup.profile_id);
}

} // namespace

std::string profile_id(std::string_view network, std::string_view portgroup) {
    auto id = fmt::format("{}/{}", network, portgroup);
    if (id.size() <= kLongestProfileId) return id;
    const auto hash = content_hash(id);
    return fmt::format("{}~{:016x}", std::string_view(id).substr(0, kLongestProfileId - 1 - kHashDigits), hash);
}

NetworkDefinition wanted_network(const std::string& network, const std::string& bridge,
                                 const std::map<std::string, bool>& portgroups) {
    NetworkDefinition wanted;
    wanted.name = network;
    wanted.bridge = bridge;
    wanted.forward = "bridge";
    wanted.virtualport = kOpenVSwitch;
    wanted.mark = network;
    for (const auto& [name, is_default] : portgroups)
        wanted.portgroups[name] = {kOpenVSwitch, profile_id(network, name), is_default, false};
    return wanted;
}

std::string render(const NetworkDefinition& definition) {
    pugi::xml_document document;
    auto network = document.append_child("network");
    const auto append_text = [&](const char* name, const std::string& text) {
        if (!text.empty()) network.append_child(name).append_child(pugi::node_pcdata).set_value(text.c_str());
    };
    append_text("name", definition.name);
    append_text("uuid", definition.uuid);
    if (definition.mark) {
        auto mark = network.append_child("metadata").append_child("weft:network");
        mark.append_attribute("xmlns:weft") = kMarkNamespace;
        mark.append_attribute("name") = definition.mark->c_str();
    }
    if (!definition.forward.empty())
        network.append_child("forward").append_attribute("mode") = definition.forward.c_str();
    if (!definition.bridge.empty()) network.append_child("bridge").append_attribute("name") = definition.bridge.c_str();
    append_virtualport(network, definition.virtualport, definition.profile_id);
    for (const auto& [name, portgroup] : definition.portgroups)
        append_portgroup(network, name, portgroup);
    return text_of(network);
}

std::string render_portgroup(const std::string& name, const Portgroup& portgroup) {
    pugi::xml_document document;
    append_portgroup(document, name, portgroup);
    return text_of(document.document_element());
}

NetworkDefinition definition_of(const pugi::xml_node& network) {
    NetworkDefinition definition;
    definition.name = network.child_value("name");
    definition.uuid = network.child_value("uuid");
    definition.bridge = attribute(network.child("bridge"), "name");
    // Without a mode it means NAT.
    if (const auto forward = network.child("forward")) definition.forward = forward.attribute("mode").as_string("nat");
    definition.virtualport = attribute(network.child("virtualport"), "type");
    definition.profile_id = profile_of(network.child("virtualport"));
    definition.restricted = restricts(network);
    definition.mark = mark_of(network);
    for (const auto& element : network.children("portgroup")) {
        const auto virtualport = element.child("virtualport");
        definition.portgroups.try_emplace(attribute(element, "name"),
                                          Portgroup{attribute(virtualport, "type"), profile_of(virtualport),
                                                    element.attribute("default").value() == std::string_view("yes"),
                                                    restricts(element)});
    }
    return definition;
}

Result<NetworkDefinition> parse_network(std::string_view network_xml) {
    pugi::xml_document document;
    if (!load(document, network_xml, "network"))
        return fail(ErrorKind::protocol, "libvirt described a network in what is no network's XML");
    return definition_of(document.document_element());
}

bool same(const NetworkDefinition& have, const NetworkDefinition& wanted) {
    auto nameless = have;
    nameless.uuid = wanted.uuid;
    return nameless == wanted;
}

} // namespace weft::virt
