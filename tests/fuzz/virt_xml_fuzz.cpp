// libvirt's XML: any bytes as a domain's and as a network's.
#include "virt/domain_xml.hpp"
#include "virt/network_xml.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

[[noreturn]] void wrong(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weft::virt;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto nics = parse_nics(text)) {
        for (const auto& nic : *nics) {
            const auto element = interface_element(text, nic.mac);
            if (!element) wrong("a NIC has no element");
            const auto alone = parse_interface(*element);
            if (!alone || alone->mac != nic.mac) wrong("an element has another MAC");
            const auto moved = moved_interface(*element, "private1", "web");
            if (!moved) {
                if (alone->type != "hostdev") wrong("a NIC cannot be moved");
            } else if (moved_interface(*moved, "private1", "web") != moved) {
                wrong("a NIC can be moved twice");
            }
        }
    }
    if (const auto network = parse_network(text)) {
        // What cannot be written (a restriction, white space alone) is lost at the first writing, and nothing later.
        const auto written = parse_network(render(*network));
        if (!written) wrong("what is rendered cannot be read");
        const auto again = parse_network(render(*written));
        if (!again || *again != *written) wrong("rendering changes a network");
        if (!same(*written, *again)) wrong("a network is not the same as itself");
    }
    return 0;
}
