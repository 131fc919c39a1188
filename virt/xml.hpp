// pugixml for those who read libvirt's XML: how text becomes a document, a node text, and the elements Nic and
// NetworkDefinition. For the translators of this room, and for `weftctl import`, which reads more of the same elements.
#pragma once
#include "virt/domain_xml.hpp"
#include "virt/network_xml.hpp"

#include <optional>
#include <pugixml.hpp>
#include <string>
#include <string_view>

namespace weft::virt {

/// No XML of libvirt's is near this; more is not looked at. Bytes.
inline constexpr std::size_t kLargestXml = std::size_t{16} << 20;

/// Whether `text` is one well-formed document whose root is called `root`. pugixml knows no external entities.
inline bool load(pugi::xml_document& document, std::string_view text, const char* root) {
    if (text.size() > kLargestXml) return false;
    const auto parsed = document.load_buffer(text.data(), text.size(), pugi::parse_default, pugi::encoding_utf8);
    return parsed && document.document_element().name() == std::string_view(root);
}

inline std::string attribute(const pugi::xml_node& node, const char* name) {
    return node.attribute(name).value();
}

inline std::string text_of(const pugi::xml_node& node) {
    struct Writer final : pugi::xml_writer {
        std::string text;
        void write(const void* data, std::size_t size) override { text.append(static_cast<const char*>(data), size); }
    } writer;
    node.print(writer, "  ", pugi::format_indent, pugi::encoding_utf8);
    return std::move(writer.text);
}

/// The <interface>; nullopt if it has no MAC address, which libvirt gives every one.
std::optional<Nic> nic_of(const pugi::xml_node& interface);

/// The <network>, whatever it lacks.
NetworkDefinition definition_of(const pugi::xml_node& network);

} // namespace weft::virt
