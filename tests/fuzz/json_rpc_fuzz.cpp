// Bytes of a hostile ovsdb-server: framing, messages, the replica and a plan on whatever came of it. The first byte
// says how the rest is cut into reads.
#include "ovsdb/json_rpc.hpp"
#include "ovsdb/plan_rows.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <cstdlib>

namespace weft::ovsdb {
namespace {

DesiredRows desired() {
    DesiredRows rows;
    rows.owner_mark = "h";
    rows.bridge = {"b", "netdev", "00000000000000a1", {"tcp:192.0.2.9:6653"}, {"OpenFlow15"}};
    rows.ports["p"] = {"p", "vxlan", {{"key", "flow"}}, {}, {}};
    rows.uplinks = {{"n", "e"}};
    rows.interface_keys = {{"i", {{"weft-ready", "yes"}}}};
    return rows;
}

/// False when the session would end here.
bool receive(Replica& replica, Message message) {
    if (const auto* reply = std::get_if<Reply>(&message)) return replica.reset(reply->result).has_value();
    const auto* notification = std::get_if<Notification>(&message);
    if (!notification) return true;
    const auto& params = notification->params.get_array();
    return params.size() == 2 && replica.apply(params[1]).has_value();
}

void session(std::span<const std::byte> bytes, std::size_t step) {
    const DesiredRows want = desired();
    Framer framer(std::size_t{1} << 20);
    Replica replica;
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(step, bytes.size()))) {
        auto values = framer.feed(bytes.first(std::min(step, bytes.size())));
        if (!values) return;
        for (auto& value : *values) {
            auto message = decode_message(std::move(value));
            if (!message || !receive(replica, std::move(*message))) return;
            (void)plan_rows(replica, want);
            (void)cleanup_rows(replica);
        }
    }
}

} // namespace
} // namespace weft::ovsdb

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    weft::ovsdb::session(std::as_bytes(std::span(data, size)).subspan(1), std::size_t{data[0]} + 1);
    return 0;
}
