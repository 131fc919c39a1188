// What is said to a QEMU guest agent and what it answers (QEMU, docs/interop/qemu-ga-ref). Pure: lab/agent has the
// socket.
#pragma once
#include "base/address.hpp"
#include "base/result.hpp"

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::lab {

std::string encode_base64(std::string_view bytes);
std::optional<std::string> decode_base64(std::string_view text);

/// One line. The 0xff before guest-sync-delimited makes the agent forget what it read before.
std::string agent_request(std::string_view command, const boost::json::object& arguments);
std::string agent_sync(std::int64_t id);
/// The line is the answer to that agent_sync: all lines before it were for somebody else.
bool answers_sync(std::string_view line, std::int64_t id);
/// "return" of an answer, or the agent's own words of what went wrong.
Result<boost::json::value> agent_answer(std::string_view line);

boost::json::object exec_arguments(const std::vector<std::string>& argv, const std::string& input);

struct Executed {
    int status = 0; ///< 128 + signal for a killed command, as shells say it
    std::string out;
    std::string err;
    bool operator==(const Executed&) const = default;
};
/// Of guest-exec-status; none: it still runs.
Result<std::optional<Executed>> executed(const boost::json::value& answer);

/// Of guest-network-get-interfaces: the IPv4 addresses of every interface but lo.
std::vector<Ip> guest_addresses(const boost::json::value& answer);

} // namespace weft::lab
