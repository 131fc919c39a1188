// An in-memory Stream whose far end is a test.
#pragma once
#include "base/mailbox.hpp"
#include "base/stream.hpp"

#include <algorithm>
#include <vector>

namespace weft::openflow {

/// The test's end. Outlives the stream.
struct FarEnd {
    explicit FarEnd(asio::io_context& io) : arrived(io.get_executor()), hung_up(io.get_executor()) {}
    void say(std::span<const std::byte> bytes) {
        to_session.insert(to_session.end(), bytes.begin(), bytes.end());
        arrived.raise();
    }
    void hang_up() {
        closed = true;
        arrived.raise();
        hung_up.raise();
    }
    std::vector<std::byte> to_session, from_session;
    Signal arrived, hung_up;
    bool closed = false;
    bool reads = true;              ///< false: a write waits for the end
    std::size_t at_once = SIZE_MAX; ///< bytes that one read gives at most
};

class MemoryStream final : public Stream {
  public:
    explicit MemoryStream(FarEnd& far) : far_(far) {}
    Task<Result<std::size_t>> read_some(std::span<std::byte> buffer) override {
        while (far_.to_session.empty() && !far_.closed)
            co_await far_.arrived.wait();
        if (far_.to_session.empty()) co_return fail(ErrorKind::io, "closed by the peer");
        const std::size_t count = std::min({buffer.size(), far_.to_session.size(), far_.at_once});
        std::copy_n(far_.to_session.begin(), count, buffer.begin());
        far_.to_session.erase(far_.to_session.begin(), far_.to_session.begin() + static_cast<long>(count));
        co_return count;
    }
    Task<Result<void>> write(std::span<const std::byte> bytes) override {
        while (!far_.reads && !far_.closed)
            co_await far_.hung_up.wait();
        if (far_.closed) co_return fail(ErrorKind::io, "closed by the peer");
        far_.from_session.insert(far_.from_session.end(), bytes.begin(), bytes.end());
        co_return Result<void>{};
    }
    void close() override { far_.hang_up(); }
    std::string peer_address() const override { return "192.0.2.1"; }
    std::string peer_common_name() const override { return ""; }

  private:
    FarEnd& far_;
};

} // namespace weft::openflow
