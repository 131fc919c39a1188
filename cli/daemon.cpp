#include "cli/daemon.hpp"

#include "cli/http_client.hpp"
#include "cli/json_text.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace weft::cli {

namespace json = boost::json;

namespace {

Error in_words(const HttpFailure& failure, const HttpCall& call, const std::string& lab) {
    const auto& address = call.address;
    switch (failure.why) {
    case Unreachable::bad_address:
        return {ErrorKind::invalid, failure.text};
    case Unreachable::absent:
        if (!lab.empty()) {
            return {ErrorKind::io,
                    fmt::format("cannot reach weftd of lab '{}' at {}: is it up? weft-lab status --name {}", lab,
                                address, lab)};
        }
        return {ErrorKind::io, fmt::format("cannot reach weftd at {}: is it running? systemctl status weftd", address)};
    case Unreachable::forbidden:
        return {
            ErrorKind::io,
            fmt::format("may not talk to weftd at {}: run as root, or join the group: adduser $USER weft", address)};
    case Unreachable::timeout:
        return {ErrorKind::timeout,
                fmt::format("weftd at {} did not answer within {} s: is it overloaded or stopped? journalctl -u weftd",
                            address, std::max<long>(1, call.timeout.count() / 1000))};
    case Unreachable::broken:
        break;
    }
    return {ErrorKind::io, fmt::format("the connection to weftd at {} broke: {}; journalctl -u weftd may say why",
                                       address, failure.text)};
}

std::string normalised(std::string address) {
    if (address.starts_with('/')) return "unix:" + address;
    if (address.starts_with("http://")) {
        address.erase(5, 2);
        if (address.ends_with('/')) address.pop_back();
    }
    return address;
}

} // namespace

Result<Daemon::Answer> Daemon::call(std::string method, std::string target, std::string body,
                                    Milliseconds timeout) const {
    const HttpCall call{address_, std::move(method), std::move(target), std::move(body), timeout};
    auto reply = exchange(call);
    if (!reply) return std::unexpected(in_words(reply.error(), call, lab_));
    error_code ec;
    auto value = json::parse(reply->body, ec);
    if (ec && reply->status == 200) {
        return fail(ErrorKind::protocol,
                    fmt::format("what answers at {} does not speak weftd's JSON: is it weftd?", address_));
    }
    return Answer{reply->status, ec ? json::value() : std::move(value)};
}

Result<std::string> Daemon::text(std::string target, Milliseconds timeout) const {
    const HttpCall call{address_, "GET", std::move(target), {}, timeout};
    auto reply = exchange(call);
    if (!reply) return std::unexpected(in_words(reply.error(), call, lab_));
    if (reply->status == 200) return std::move(reply->body);
    error_code ec;
    auto body = json::parse(reply->body, ec);
    return std::unexpected(error_of({reply->status, ec ? json::value() : std::move(body)}));
}

Result<json::value> Daemon::get(std::string target, Milliseconds timeout) const {
    auto answer = call("GET", std::move(target), {}, timeout);
    if (!answer) return std::unexpected(answer.error());
    if (answer->status != 200) return std::unexpected(error_of(*answer));
    return std::move(answer->body);
}

Error Daemon::error_of(const Answer& answer) const {
    auto text = printable(words_at(answer.body, "error"));
    if (text.empty()) {
        text = fmt::format("weftd at {} answered with HTTP status {} and no reason; is it the version of this weftctl?",
                           address_, answer.status);
    }
    return {ErrorKind::refused, std::move(text)};
}

Daemon find_daemon(const std::optional<std::string>& api, const std::optional<std::string>& lab,
                   const Environment& environment) {
    if (api) return Daemon(normalised(*api));
    if (lab) return Daemon("unix:/run/weft-lab/" + *lab + "/api.sock", *lab);
    const auto variable = environment.variables.find("WEFT_API");
    if (variable != environment.variables.end() && !variable->second.empty())
        return Daemon(normalised(variable->second));
    return Daemon("unix:/run/weft/api.sock");
}

} // namespace weft::cli
