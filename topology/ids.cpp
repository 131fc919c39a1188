#include "topology/ids.hpp"

#include "base/ids.hpp"

namespace weft::topology {

std::uint32_t group_number(std::string_view network) {
    const auto id = object_id(Kind::network, network).value;
    const auto number = static_cast<std::uint32_t>((id ^ (id >> 24)) & 0xff'ffff);
    return number == 0 ? 1 : number;
}

} // namespace weft::topology
