#include "controller/libvirt_agent.hpp"

#include "controller/vm_accounts.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weft::controller {

/// Null `wanted`: to be removed.
struct LibvirtAgent::Step {
    std::string network;
    std::optional<virt::NetworkDefinition> wanted;
};

struct LibvirtAgent::Refusal {
    std::optional<virt::NetworkDefinition> wanted;
    std::optional<virt::Network> had;
    std::string text;
};

namespace {

constexpr std::chrono::minutes kTryAgain{1};
constexpr int kTries = 3;
constexpr std::chrono::seconds kSlow{5};

std::optional<virt::Network> network_of(const std::shared_ptr<const virt::Snapshot>& snapshot,
                                        const std::string& name) {
    const auto found = snapshot->networks.find(name);
    if (found == snapshot->networks.end()) return std::nullopt;
    return found->second;
}

bool is_as(const virt::Network& network, const virt::NetworkDefinition& wanted) {
    return network.active && network.autostart && virt::same(network.live, wanted) &&
           virt::same(network.configured, wanted);
}

} // namespace

std::string_view name_of(LibvirtAgent::Phase phase) {
    switch (phase) {
    case LibvirtAgent::Phase::connecting:
        return "connecting";
    case LibvirtAgent::Phase::down:
        return "down";
    case LibvirtAgent::Phase::offering:
        return "offering";
    case LibvirtAgent::Phase::following:
        return "following";
    case LibvirtAgent::Phase::refused:
        return "refused";
    }
    return "";
}

LibvirtAgent::LibvirtAgent(asio::io_context& io, std::string host, Voice voice, Observer observer, Changed changed)
    : io_(io), host_(std::move(host)), voice_(voice), observer_(std::move(observer)), changed_(std::move(changed)),
      wake_(io.get_executor()) {}

void LibvirtAgent::start(Wanted wanted) {
    wanted_ = std::move(wanted);
    connect();
    asio::co_spawn(io_, [](auto self) -> Task<void> { co_await self->run(); }(shared_from_this()), asio::detached);
}

void LibvirtAgent::want(Wanted wanted) {
    if (wanted == wanted_) return;
    const bool elsewhere = wanted.uri != wanted_.uri;
    wanted_ = std::move(wanted);
    if (elsewhere) {
        watch_->stop();
        connect();
    }
    wake_.raise();
}

void LibvirtAgent::connect() {
    const std::weak_ptr<LibvirtAgent> weak = weak_from_this();
    const auto note = [weak](const auto&...) {
        if (const auto self = weak.lock(); self && !self->stopped_) self->note_watch();
    };
    refused_.clear();
    phase_ = Phase::connecting;
    reason_ = "not connected yet";
    watch_ = std::make_shared<virt::Watch>(io_, wanted_.uri, note, note);
    watch_->start();
}

void LibvirtAgent::note_watch() {
    if (!watch_) return;
    const auto snapshot = watch_->snapshot();
    const bool current = watch_->phase() != virt::Watch::Phase::down && snapshot;
    if (current || watch_->phase() == virt::Watch::Phase::down)
        observer_({current, current ? vms_of(*snapshot, wanted_.bridge) : std::map<std::string, fabric::Vm>{}});
    if (watch_->phase() == virt::Watch::Phase::down) enter(Phase::down, watch_->reason());
    wake_.raise();
}

void LibvirtAgent::leave(std::function<void()> cleaned) {
    observer_ = [](const fabric::HostVms&) {};
    changed_ = [] {};
    cleaned_ = std::move(cleaned);
    leaving_ = true;
    wanted_.networks.clear();
    refused_.clear();
    wake_.raise();
}

void LibvirtAgent::stop() {
    stopped_ = true;
    observer_ = [](const fabric::HostVms&) {};
    changed_ = [] {};
    cleaned_ = {};
    if (watch_) watch_->stop();
    wake_.raise();
}

void LibvirtAgent::enter(Phase phase, std::string reason) {
    if (phase == phase_ && reason == reason_) return;
    // A change on its way is no news, and neither is its end.
    if (phase != Phase::offering && (phase != said_ || reason != said_reason_)) {
        said_ = phase;
        said_reason_ = reason;
        const bool good = phase == Phase::following;
        voice_.say(good ? LogLevel::info : LogLevel::warning, fmt::format("libvirt_{}", name_of(phase)), host_, "",
                   good ? "libvirt is followed, its networks are offered" : reason);
    }
    phase_ = phase;
    reason_ = std::move(reason);
    changed_();
}

std::string LibvirtAgent::refusal_of(const std::string& network) const {
    if (const auto has = snapshot(); has && !has->no_networks.empty()) return has->no_networks;
    const auto found = refused_.find(network);
    return found == refused_.end() ? std::string() : found->second->text;
}

std::optional<LibvirtAgent::Step> LibvirtAgent::next_step() {
    const auto snapshot = watch_->snapshot();
    std::vector<Step> steps;
    // What goes first: a host that has no networks (no driver for them) has none to remove either.
    for (const auto& [name, network] : snapshot->networks)
        if (network.configured.mark && !wanted_.networks.contains(name)) steps.push_back({name, std::nullopt});
    for (const auto& [name, wanted] : wanted_.networks) {
        const auto had = network_of(snapshot, name);
        if (!had || !is_as(*had, wanted)) steps.push_back({name, wanted});
    }
    std::erase_if(refused_, [&](const auto& entry) {
        const auto& [name, refusal] = entry;
        const auto wanted = wanted_.networks.find(name);
        const bool as_before =
            (wanted == wanted_.networks.end() ? !refusal->wanted : refusal->wanted == wanted->second) &&
            refusal->had == network_of(snapshot, name);
        return !as_before;
    });
    for (auto& step : steps)
        if (!refused_.contains(step.network)) return std::move(step);
    return std::nullopt;
}

Task<void> LibvirtAgent::run() {
    auto self = shared_from_this();
    while (!stopped_) {
        if (watch_->phase() != virt::Watch::Phase::following) {
            refused_.clear(); // another connection may see it otherwise
            co_await wake_.wait();
            continue;
        }
        const auto watch = watch_;
        if (const auto& lack = watch->snapshot()->no_networks; !lack.empty()) {
            if (leaving_) break; // it has none of weft's either
            enter(Phase::refused, lack);
            co_await wake_.wait();
            continue;
        }
        const auto step = next_step();
        if (!step) {
            if (leaving_) break;
            std::vector<std::string> texts;
            for (const auto& [_, refusal] : refused_)
                texts.push_back(refusal->text);
            if (texts.empty())
                enter(Phase::following, "");
            else
                enter(Phase::refused, fmt::format("{}", fmt::join(texts, "; ")));
            // What is refused for a reason that does not show (permissions, memory) is tried again now and then.
            if (!co_await wake_.wait(texts.empty() ? SteadyClock::duration::max() : SteadyClock::duration(kTryAgain)))
                refused_.clear();
            continue;
        }
        enter(Phase::offering, fmt::format("libvirt network {} is being {}", step->network,
                                           step->wanted ? "brought up to date" : "removed"));
        const auto had = network_of(watch->snapshot(), step->network);
        const auto done = step->wanted ? co_await watch->define_network(virt::render(*step->wanted))
                                       : co_await watch->remove_network(step->network);
        if (stopped_) break;
        if (done) {
            voice_.log.info(host_, fmt::format("libvirt network {}: {}", step->network,
                                               !step->wanted ? "removed"
                                               : had         ? "changed"
                                                             : "defined"));
            const auto has = network_of(watch->snapshot(), step->network);
            if (!step->wanted ? !has : has && is_as(*has, *step->wanted)) {
                fruitless_.erase(step->network);
                continue;
            }
            // An admin was quicker, or libvirt says the same again after each try.
            if (++fruitless_[step->network] < kTries) continue;
            fruitless_.erase(step->network);
            refused_[step->network] = std::make_shared<const Refusal>(
                step->wanted, has, fmt::format("libvirt network {} did not become as weft wants it", step->network));
        } else if (done.error().kind == ErrorKind::io || done.error().kind == ErrorKind::timeout) {
            if (watch->phase() == virt::Watch::Phase::following) enter(Phase::refused, done.error().text);
            co_await wake_.wait(kSlow); // the connection is gone, or libvirt is slow
        } else {
            refused_[step->network] = std::make_shared<const Refusal>(
                step->wanted, network_of(watch->snapshot(), step->network), done.error().text);
        }
    }
    if (!stopped_ && leaving_) {
        watch_->stop();
        if (cleaned_) cleaned_();
    }
}

} // namespace weft::controller
