// Framer: cuts a byte stream into OpenFlow messages (7.1.1: eight bytes of header, of which the third and fourth are
// the length of all). No I/O: the reader fills space(), then takes frames until there is none.
#pragma once
#include "openflow/codec.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

namespace weft::openflow {

class Framer {
  public:
    /// Where to put the next bytes: at least 4 KiB. Invalidates frames.
    std::span<std::byte> space() {
        if (begin_ == end_) begin_ = end_ = 0;
        if (begin_ > 0) {
            std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= begin_;
            begin_ = 0;
        }
        if (buffer_.size() - end_ < kLeast) buffer_.resize(std::max(4 * kLeast, 2 * buffer_.size()));
        return std::span(buffer_).subspan(end_);
    }
    void filled(std::size_t count) { end_ += count; }

    /// The next whole frame, valid until space(); empty when more bytes are needed. Error protocol when the stream
    /// cannot be followed any further.
    Result<std::optional<std::span<const std::byte>>> next() {
        constexpr std::size_t kHeader = 8;
        if (end_ - begin_ < kHeader) return std::nullopt;
        const std::byte* at = buffer_.data() + begin_;
        // A record of TLS with a handshake in it (RFC 8446, section 5.1); no version of OpenFlow begins so.
        if (at[0] == std::byte{0x16} && at[1] == std::byte{0x03})
            return fail(ErrorKind::protocol, "the peer speaks TLS, and this port is without it");
        const std::size_t length = std::to_integer<std::size_t>(at[2]) << 8 | std::to_integer<std::size_t>(at[3]);
        if (length < kHeader) return fail(ErrorKind::protocol, "malformed OpenFlow message: shorter than its header");
        if (end_ - begin_ < length) return std::nullopt;
        begin_ += length;
        return std::span<const std::byte>(at, length);
    }

  private:
    // Doubled as needed up to 128 KiB, twice the largest message: an idle session keeps 16 KiB.
    static constexpr std::size_t kLeast = 4096;
    Bytes buffer_;
    std::size_t begin_ = 0, end_ = 0;
};

} // namespace weft::openflow
