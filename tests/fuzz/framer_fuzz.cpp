// The framer, fed in chunks of one size (the first byte says which): it must cut the stream where its length fields
// say, wherever the chunks end, and stop where it cannot be followed.
#include "openflow/framer.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

using namespace weft::openflow;

[[noreturn]] void wrong(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

/// Takes the frames that are there and checks each against the start of `stream`. False: the stream cannot be followed.
bool take_frames(Framer& framer, std::span<const std::byte>& stream) {
    for (;;) {
        const std::size_t length =
            stream.size() < 8 ? 0
                              : std::to_integer<std::size_t>(stream[2]) << 8 | std::to_integer<std::size_t>(stream[3]);
        const auto frame = framer.next();
        if (!frame) {
            const bool tls = stream.size() >= 8 && stream[0] == std::byte{0x16} && stream[1] == std::byte{0x03};
            if (stream.size() < 8 || (length >= 8 && !tls)) wrong("a sound header was refused");
            return false;
        }
        if (!*frame) return true;
        if ((*frame)->size() != length) wrong("a frame is not as long as its header says");
        if (!std::ranges::equal(**frame, stream.first(length))) wrong("a frame is not what was fed");
        stream = stream.subspan(length);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t chunk = 1 + data[0];
    std::span<const std::byte> rest(reinterpret_cast<const std::byte*>(data + 1), size - 1);
    auto stream = rest; // what no frame was cut off yet
    Framer framer;
    while (!rest.empty()) {
        const auto space = framer.space();
        const std::size_t count = std::min({chunk, space.size(), rest.size()});
        std::copy_n(rest.begin(), count, space.begin());
        framer.filled(count);
        rest = rest.subspan(count);
        if (!take_frames(framer, stream)) return 0;
        const std::size_t fed = stream.size() - rest.size();
        if (fed >= 8 && fed >= (std::to_integer<std::size_t>(stream[2]) << 8 | std::to_integer<std::size_t>(stream[3])))
            wrong("a whole frame was kept back");
    }
    return 0;
}
