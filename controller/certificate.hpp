// Whose certificate is it?
#pragma once
#include <string>

namespace weft::controller {

/// ovs-pki makes common names like "kvm1 id:d3b0…": the host's name is the first word.
inline std::string host_of_certificate(const std::string& common_name) {
    return common_name.substr(0, common_name.find(' '));
}

} // namespace weft::controller
