#include "lab/agent_protocol.hpp"

#include <array>
#include <fmt/format.h>

namespace weft::lab {
namespace json = boost::json;
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string output_of(const json::object& status, std::string_view key) {
    const auto* value = status.if_contains(key);
    return value ? decode_base64(json::value_to<std::string>(*value)).value_or("") : "";
}

} // namespace

std::string encode_base64(std::string_view bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k)
            text += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
    std::string bytes;
    std::uint32_t group = 0;
    int bits = 0;
    while (text.ends_with('='))
        text.remove_suffix(1);
    for (const char c : text) {
        const auto digit = kDigits.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        group = group << 6 | static_cast<std::uint32_t>(digit);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        bytes += static_cast<char>(group >> bits & 0xff);
    }
    return bytes;
}

std::string agent_request(std::string_view command, const json::object& arguments) {
    json::object request{{"execute", command}};
    if (!arguments.empty()) request["arguments"] = arguments;
    return json::serialize(request) + "\n";
}

std::string agent_sync(std::int64_t id) {
    return "\xff" + agent_request("guest-sync-delimited", {{"id", id}});
}

bool answers_sync(std::string_view line, std::int64_t id) {
    // An 0xff stands before the answer; what is left of it is of no interest.
    if (const auto mark = line.rfind('\xff'); mark != std::string_view::npos) line.remove_prefix(mark + 1);
    const auto answer = agent_answer(line);
    return answer && *answer == json::value(id);
}

Result<json::value> agent_answer(std::string_view line) {
    boost::system::error_code error;
    const json::value answer = json::parse(line, error);
    const auto* object = error ? nullptr : answer.if_object();
    if (!object) return fail(ErrorKind::protocol, "the guest agent does not answer in JSON");
    if (const auto* value = object->if_contains("return")) return *value;
    if (const auto* said = object->if_contains("error"))
        if (const auto* words = said->if_object() ? said->as_object().if_contains("desc") : nullptr)
            return fail(ErrorKind::refused, json::value_to<std::string>(*words));
    return fail(ErrorKind::protocol, fmt::format("the guest agent says {}", line));
}

json::object exec_arguments(const std::vector<std::string>& argv, const std::string& input) {
    json::object arguments{
        {"path", argv.front()}, {"arg", json::array(argv.begin() + 1, argv.end())}, {"capture-output", true}};
    if (!input.empty()) arguments["input-data"] = encode_base64(input);
    return arguments;
}

Result<std::optional<Executed>> executed(const json::value& answer) {
    try {
        const json::object& status = answer.as_object();
        if (!status.at("exited").as_bool()) return std::optional<Executed>();
        Executed done{0, output_of(status, "out-data"), output_of(status, "err-data")};
        if (const auto* code = status.if_contains("exitcode")) done.status = json::value_to<int>(*code);
        if (const auto* signal = status.if_contains("signal")) done.status = 128 + json::value_to<int>(*signal);
        return done;
    } catch (const std::exception& error) {
        return fail(ErrorKind::protocol, fmt::format("guest-exec-status: {}", error.what()));
    }
}

std::vector<Ip> guest_addresses(const json::value& answer) {
    std::vector<Ip> addresses;
    try {
        for (const auto& interface : answer.as_array()) {
            const auto* held = interface.as_object().if_contains("ip-addresses");
            if (!held || interface.at("name") == "lo") continue;
            for (const auto& entry : held->as_array())
                if (const auto ip = Ip::parse(json::value_to<std::string>(entry.at("ip-address"))); ip && ip->is_v4())
                    addresses.push_back(*ip);
        }
    } catch (const std::exception&) { // an agent that says something else has no addresses to tell
    }
    return addresses;
}

} // namespace weft::lab
