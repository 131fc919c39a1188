// What is known of a neighbour that is asked for (RFC 826, RFC 4861).
#pragma once
#include <string_view>

namespace weft::controller {

enum class Resolution {
    resolving, ///< asked, has not answered yet
    resolved,
    failed, ///< does not answer
};

constexpr std::string_view name_of(Resolution resolution) {
    switch (resolution) {
    case Resolution::resolving:
        return "resolving";
    case Resolution::resolved:
        return "resolved";
    case Resolution::failed:
        return "failed";
    }
    return "";
}

} // namespace weft::controller
