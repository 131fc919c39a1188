// The bytes of a switch: framer, then the decoder of every message, then what comes of a decoded flow.
#include "openflow/framer.hpp"
#include "openflow/message.hpp"
#include "openflow/table.hpp"

namespace {

using namespace weft::openflow;

void use(const Flow& flow) {
    (void)digest(flow);
    (void)to_string(flow);
    Bytes out;
    encode_flow_mod(out, {}, Command::remove, flow);
}

void use(const Message& message) {
    if (const auto* flows = std::get_if<std::vector<FlowStats>>(&message.body)) {
        for (const FlowStats& stats : *flows)
            use(stats.flow);
    } else if (const auto* groups = std::get_if<std::vector<GroupEntry>>(&message.body)) {
        for (const GroupEntry& group : *groups)
            (void)to_string(group);
    } else if (const auto* meters = std::get_if<std::vector<MeterEntry>>(&message.body)) {
        for (const MeterEntry& meter : *meters)
            (void)to_string(meter);
    }
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    initialize_codec();
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Framer framer;
    std::span<const std::byte> rest(reinterpret_cast<const std::byte*>(data), size);
    while (!rest.empty()) {
        const auto space = framer.space();
        const std::size_t count = std::min(space.size(), rest.size());
        std::copy_n(rest.begin(), count, space.begin());
        framer.filled(count);
        rest = rest.subspan(count);
        for (;;) {
            const auto frame = framer.next();
            if (!frame) return 0;
            if (!*frame) break;
            if (const auto message = decode(**frame)) use(*message);
            if (const auto flow = decode_flow(**frame)) use(*flow);
        }
    }
    return 0;
}
