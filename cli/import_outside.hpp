// What leads to the outside, as far as libvirt and the host's rules tell: public network, gateways, port forwards,
// floating IPs. Pure.
#pragma once
#include "cli/import_ports.hpp"

namespace weft::cli {

/// Adds it to the draft if anything is routed. `dnats`: of all sources, the same ones several times.
void add_outside(Draft& draft, Names& names, const Networks& networks, const Ports& ports,
                 const std::vector<Dnat>& dnats);

} // namespace weft::cli
