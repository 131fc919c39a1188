// libvirt's XML as values. Pure; never throws: what cannot be read is left out, and named in `others` where there is a
// place for it. Formats: libvirt's formatnetwork and formatdomain, as of 9.0.
#pragma once
#include "cli/import_sources.hpp"

namespace weft::cli {

/// Nothing, if the text is no `<network>` with a name.
std::optional<LibvirtNetwork> read_libvirt_network(const NetworkText& text);

/// Nothing, if the text is no `<domain>` with a name.
std::optional<LibvirtDomain> read_libvirt_domain(const std::string& xml);

} // namespace weft::cli
