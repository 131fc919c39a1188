// Intent, the part about leases and what guests find wrong with their addresses.
#include "controller/intent.hpp"

namespace weft::controller {
namespace {

/// A guest that declines address after address gets another only so often: each costs a rebuild.
constexpr auto kDeclineAgain = std::chrono::seconds(10);

} // namespace

void Intent::note_lease(const topology::AttachmentKey& key, bool v6, std::optional<Lease> lease, bool news) {
    const auto allocated = state_.allocations.attachments.find(key);
    if (allocated == state_.allocations.attachments.end()) return;
    auto& leases = state_.leases[key];
    (v6 ? leases.ip6 : leases.ip) = std::move(lease);
    if (leases == Leases{}) state_.leases.erase(key);
    (news ? dirty_ : leases_dirty_) = true;
}

void Intent::drop_leases() {
    for (auto& [key, leases] : state_.leases) {
        const auto allocated = state_.allocations.attachments.find(key);
        const auto has =
            allocated == state_.allocations.attachments.end() ? topology::AttachmentAddresses{} : allocated->second;
        if (leases.ip && leases.ip->ip != has.ip) leases.ip.reset();
        if (leases.ip6 && leases.ip6->ip != has.ip6) leases.ip6.reset();
    }
    std::erase_if(state_.leases, [](const auto& entry) { return entry.second == Leases{}; });
    std::erase_if(declined_,
                  [this](const auto& entry) { return !state_.allocations.attachments.contains(entry.first); });
}

bool Intent::decline(const topology::AttachmentKey& key, const Ip& ip) {
    const auto allocated = state_.allocations.attachments.find(key);
    if (allocated == state_.allocations.attachments.end()) return false;
    if (ip != allocated->second.ip && ip != allocated->second.ip6) return false;
    const auto time = SteadyClock::now();
    auto& last = declined_[key];
    if (last != SteadyClock::time_point{} && time - last < kDeclineAgain) return false;
    last = time;
    auto& declined = state_.allocations.declined[key];
    (ip.is_v6() ? declined.ip6 : declined.ip) = ip;
    dirty_ = true;
    fabric::Touched touched;
    reallocate(touched);
    const auto& now_has = state_.allocations.attachments.at(key);
    const bool moved = (ip.is_v6() ? now_has.ip6 : now_has.ip) != ip;
    if (moved) rebuild(std::move(touched));
    return moved;
}

} // namespace weft::controller
