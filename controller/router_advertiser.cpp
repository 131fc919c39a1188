#include "controller/router_advertiser.hpp"

#include "controller/router_advertisement.hpp"

namespace weft::controller {
namespace {

using namespace std::chrono_literals;

constexpr auto kTick = 200ms;
constexpr auto kInitialInterval = 2s; ///< RFC 4861, 10 allows up to 16 s between the first three
constexpr int kInitial = 3;
/// RFC 4861, 6.2.1: at most 30 minutes. Much more often than what is told ends, which is after 18 hours.
constexpr auto kInterval = 10min;
/// Until a host that is away is tried again.
constexpr auto kAway = 1s;
/// A host that is away for longer hears of it no more.
constexpr auto kFarewell = 10s;
/// A daemon that comes back does not speak to everybody at once.
constexpr int kAtOnce = 200;

bool sounds_alike(const GuestConfig& a, const GuestConfig& b) {
    return unsolicited_advertisement(a) == unsolicited_advertisement(b);
}

/// The new word takes the place of all that the old one said. Else something of that would stay with the guest: what is
/// said lasts for hours or for ever.
bool supersedes(const GuestConfig& now, GuestConfig before) {
    before.mtu = now.mtu;
    return sounds_alike(now, before);
}

bool speaks(const std::optional<GuestConfig>& guest) {
    return guest && guest->subnet6;
}

} // namespace

bool RouterAdvertiser::say(const Listener& listener, Frame frame) {
    if (!send_(listener.host, to_attachment(listener.network, listener.attachment, std::move(frame)))) return false;
    sent_(listener.guest.network);
    return true;
}

void RouterAdvertiser::withdraw(Listener listener, SteadyClock::time_point now) {
    listener.due = now + kFarewell;
    farewells_.push_back(std::move(listener));
}

void RouterAdvertiser::look_at(const fabric::NetworkView& network, SteadyClock::time_point now) {
    const auto& name = network.core.name;
    for (const auto& [port, attachment] : network.bound) {
        if (attachment->binding.ofport == 0) continue;
        auto guest = guest_config(*world_, network, *attachment);
        const auto known = listeners_.find({name, port});
        if (!speaks(guest)) {
            if (known == listeners_.end()) continue;
            withdraw(known->second, now);
            listeners_.erase(known);
            continue;
        }
        Listener listener{attachment->binding.host, network.core.id, attachment->id, *guest, kInitial, now};
        if (known == listeners_.end()) {
            listeners_.emplace(Key{name, port}, std::move(listener));
        } else if (auto& old = known->second; old.host != listener.host || !sounds_alike(old.guest, *guest)) {
            if (!supersedes(*guest, old.guest)) {
                withdraw({listener.host, listener.network, listener.attachment, old.guest, 0, now}, now);
                listener.due = now + kTick; // the old word first
            }
            old = std::move(listener);
        } else {
            old.guest = std::move(*guest);
        }
    }
}

void RouterAdvertiser::look(SteadyClock::time_point now) {
    const auto unchanged = [this](const std::string& name, const fabric::NetworkPtr& network) {
        if (!seen_ || seen_->topology != world_->topology) return false;
        const auto before = seen_->networks.find(name);
        return before != seen_->networks.end() && before->second == network;
    };
    for (const auto& [name, network] : world_->networks)
        if (!unchanged(name, network)) look_at(*network, now);
    std::erase_if(listeners_, [this](const auto& entry) {
        const auto network = world_->networks.find(entry.first.first);
        return network == world_->networks.end() || !network->second->bound.contains(entry.first.second);
    });
    seen_ = world_;
}

void RouterAdvertiser::advertise(SteadyClock::time_point now) {
    if (!world_) return;
    if (seen_ != world_) look(now);
    // The change that brought it about is on its way to the host, which takes no packets meanwhile.
    std::erase_if(farewells_, [&](const Listener& listener) {
        return say(listener, withdrawn_advertisement(listener.guest)) || listener.due < now;
    });
    int said = 0;
    for (auto& [_, listener] : listeners_) {
        if (listener.due > now || said >= kAtOnce) continue;
        ++said;
        if (!say(listener, unsolicited_advertisement(listener.guest))) {
            listener.due = now + kAway;
            continue;
        }
        if (listener.initial > 0) --listener.initial;
        listener.due = now + (listener.initial > 0 ? kInitialInterval : kInterval);
    }
}

Task<void> RouterAdvertiser::run() {
    while (!stopped_) {
        advertise(SteadyClock::now());
        co_await sleep_for(kTick);
    }
}

} // namespace weft::controller
