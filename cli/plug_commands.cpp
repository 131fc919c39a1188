// Commands that plug a VM's NICs: attach, detach, migrate. weftd does it, by the host's libvirt.
#include "cli/commands.hpp"
#include "cli/json_text.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <ostream>

namespace weft::cli {

namespace json = boost::json;

namespace {

// weftd waits for a guest to let go of a device, and libvirt for its monitor.
constexpr Milliseconds kPlugTimeout{150'000};

/// What is asked for; what was not given is weftd's choice.
json::object body_of(const Plug& plug) {
    json::object body{{"vm", plug.vm}};
    if (plug.from.empty())
        body["network"] = plug.network;
    else {
        body["from"] = plug.from;
        body["to"] = plug.network;
    }
    if (!plug.port.empty()) body["port"] = plug.port;
    if (!plug.groups.empty()) body["security_groups"] = json::array(plug.groups.begin(), plug.groups.end());
    if (!plug.qos.empty()) body["qos"] = plug.qos;
    return body;
}

/// "port web1-1, 52:54:00:00:01:10, 10.0.1.7"
std::string port_of(const json::value& answer) {
    auto text = fmt::format("port {}, {}", printable(words_at(answer, "port")), printable(words_at(answer, "mac")));
    for (const auto& ip : items(at(answer, "ips")))
        text += ", " + printable(words(ip));
    return text;
}

/// What the admin has to know besides; `up` is said of a port that is.
std::string note_of(const json::value& answer, const std::string& up) {
    if (words_at(answer, "interface").empty()) return "The VM is off: this is so from its next start on.";
    if (words_at(answer, "state") == "up") return up;
    return fmt::format("The port is not up yet: weftctl show port {} says why.", printable(words_at(answer, "port")));
}

/// The 200 of the POST, or the exit code after the reason was printed.
std::expected<json::value, int> post(Context& context, const char* target, const Plug& plug) {
    auto answer = context.daemon.call("POST", target, json::serialize(body_of(plug)), kPlugTimeout);
    if (!answer) return std::unexpected(complain(context, answer.error()));
    if (answer->status != 200) return std::unexpected(complain(context, context.daemon.error_of(*answer)));
    return std::move(answer->body);
}

/// `done` is what became of the VM, `note` a sentence besides.
int tell(Context& context, const json::value& answer, const std::string& done, const std::string& note) {
    auto& out = context.environment.out;
    if (context.json) {
        out << pretty(answer);
        return kDone;
    }
    out << fmt::format("{} {} on {}: {}\n", printable(words_at(answer, "vm")), done,
                       printable(words_at(answer, "host")), port_of(answer));
    if (!note.empty()) out << note << '\n';
    return kDone;
}

} // namespace

int attach(Context& context, const Plug& plug) {
    const auto answer = post(context, "/v1/attach", plug);
    if (!answer) return answer.error();
    return tell(context, *answer, "plugged into " + plug.network, note_of(*answer, ""));
}

int detach(Context& context, const Plug& plug) {
    const auto answer = post(context, "/v1/detach", plug);
    if (!answer) return answer.error();
    return tell(context, *answer, "unplugged from " + plug.network, "");
}

int migrate(Context& context, const Plug& plug) {
    const auto answer = post(context, "/v1/migrate", plug);
    if (!answer) return answer.error();
    return tell(context, *answer, fmt::format("moved from {} to {}", plug.from, plug.network),
                note_of(*answer, "The guest saw its device plugged in anew: with DHCP it asks for its address again."));
}

} // namespace weft::cli
