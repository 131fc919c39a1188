#include "virt/watch.hpp"

#include "virt/change.hpp"
#include "virt/plug.hpp"
#include "virt/worker.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

namespace weft::virt {
namespace {

/// ssh would ask on weftd's terminal if it has one.
std::string asking_nobody(std::string uri) {
    const auto scheme = uri.substr(0, uri.find(':'));
    if (!scheme.ends_with("+ssh") || uri.find("no_tty=") != std::string::npos) return uri;
    return uri + (uri.find('?') == std::string::npos ? "?no_tty=1" : "&no_tty=1");
}

Task<Result<>> without_text(Task<Result<std::string>> job) {
    auto result = co_await std::move(job);
    if (!result) co_return std::unexpected(std::move(result.error()));
    co_return Result<>{};
}

} // namespace

struct Watch::Reply {
    explicit Reply(const asio::any_io_executor& executor) : signal(executor) {}
    Signal signal;
    std::optional<Result<std::string>> result;
};

/// What becomes of the worker's reports.
struct Watch::Take {
    Watch& watch;
    void operator()(const Attempting&) const {
        watch.attempt_.expires_after(watch.options_.connect_limit);
        watch.attempt_.async_wait([weak = watch.weak_from_this()](error_code ec) {
            const auto self = weak.lock();
            if (ec || !self || self->stopped_) return;
            self->enter(Phase::down,
                        fmt::format("libvirt at {}: no answer for {} s: check that the host is up and that libvirt "
                                    "runs there",
                                    self->uri_, self->options_.connect_limit.count() / 1000));
        });
    }
    void operator()(const Following&) const {
        watch.attempt_.cancel();
        watch.enter(Phase::following, "");
    }
    void operator()(Lost& lost) const {
        watch.attempt_.cancel();
        watch.enter(Phase::down, std::move(lost.error.text));
    }
    void operator()(Told& told) const {
        watch.snapshot_ = std::move(told);
        for (auto& waiting : watch.told_)
            waiting.raise();
        const auto observer = watch.observer_; // which may stop the watch
        observer(watch.snapshot_);
    }
    void operator()(JobDone& done) const {
        const auto reply = watch.replies_.find(done.job);
        if (reply == watch.replies_.end()) return; // given up
        reply->second->result = std::move(done.result);
        reply->second->signal.raise();
    }
};

Watch::Watch(asio::io_context& io, std::string uri, Observer observer, Changed changed, WatchOptions options)
    : io_(io), uri_(asking_nobody(std::move(uri))), observer_(std::move(observer)), changed_(std::move(changed)),
      options_(options), attempt_(io), reason_(fmt::format("libvirt at {}: not connected yet", uri_)) {}

Watch::~Watch() {
    stop();
}

void Watch::start() {
    worker_ = std::make_shared<Worker>(
        uri_, options_, [executor = asio::any_io_executor(io_.get_executor()), weak = weak_from_this()](Report report) {
            asio::post(executor, [weak, report = std::move(report)]() mutable {
                const auto self = weak.lock();
                if (self && !self->stopped_) std::visit(Take{*self}, report);
            });
        });
    worker_->start();
}

void Watch::stop() {
    if (std::exchange(stopped_, true)) return;
    if (worker_) worker_->stop();
    attempt_.cancel();
    observer_ = {};
    changed_ = {};
    for (const auto& [job, reply] : replies_)
        reply->signal.raise();
    for (auto& waiting : told_)
        waiting.raise();
}

bool Watch::all_ended(Milliseconds limit) {
    return Worker::all_ended(limit);
}

void Watch::enter(Phase phase, std::string reason) {
    if (phase == phase_ && reason == reason_) return;
    phase_ = phase;
    reason_ = std::move(reason);
    const auto changed = changed_; // which may stop the watch
    changed();
}

template <class Act>
Task<Result<std::string>> Watch::carry_out(Act act, std::string domain, std::string network) {
    const auto self = shared_from_this();
    if (stopped_ || !worker_) co_return fail(ErrorKind::io, fmt::format("libvirt at {}: stopped", uri_));
    const auto job = next_job_++;
    const auto reply = std::make_shared<Reply>(io_.get_executor());
    replies_.emplace(job, reply);
    worker_->submit({job, std::move(act), std::move(domain), std::move(network)});
    co_await reply->signal.wait(options_.job_limit);
    replies_.erase(job);
    if (reply->result) co_return std::move(*reply->result);
    if (stopped_) co_return fail(ErrorKind::io, fmt::format("libvirt at {}: stopped", uri_));
    co_return fail(ErrorKind::timeout,
                   fmt::format("libvirt at {}: no answer for {} s: {}", uri_, options_.job_limit.count() / 1000,
                               worker_->withdraw(job) ? "nothing was done" : "it may still do it"));
}

Task<Result<>> Watch::define_network(std::string xml) {
    const auto network = parse_network(xml);
    auto name = network ? network->name : std::string();
    return without_text(
        carry_out([xml = std::move(xml)](virConnectPtr connection) { return virt::define_network(connection, xml); },
                  {}, std::move(name)));
}

Task<Result<>> Watch::remove_network(const std::string& name) {
    return without_text(
        carry_out([name](virConnectPtr connection) { return virt::remove_network(connection, name); }, {}, name));
}

Task<Result<>> Watch::attach_interface(const std::string& domain, std::string xml) {
    return without_text(
        carry_out([domain, xml = std::move(xml)](
                      virConnectPtr connection) { return virt::attach_interface(connection, domain, xml); },
                  domain, {}));
}

Task<Result<>> Watch::detach_interface(const std::string& domain, Mac mac, Milliseconds limit) {
    return take_away(
        domain, mac, limit, [](virConnectPtr) { return Result<std::string>(); },
        [domain, mac](virConnectPtr connection, const std::string& was) {
            return forget_interface(connection, domain, mac, was);
        });
}

Task<Result<>> Watch::move_interface(const std::string& domain, Mac mac, const std::string& network,
                                     const std::string& portgroup, Milliseconds limit) {
    return take_away(
        domain, mac, limit,
        [=](virConnectPtr connection) { return check_move(connection, domain, mac, network, portgroup); },
        [=](virConnectPtr connection, const std::string& was) {
            return replug_interface(connection, domain, mac, was, network, portgroup);
        });
}

template <class Check, class Finish>
Task<Result<>> Watch::take_away(std::string domain, Mac mac, Milliseconds limit, Check check, Finish finish) {
    const auto self = shared_from_this();
    auto unplugged = co_await carry_out(
        [domain, mac, check = std::move(check)](virConnectPtr connection) {
            auto ready = check(connection);
            return ready ? unplug_interface(connection, domain, mac) : ready;
        },
        domain, {});
    if (!unplugged) co_return std::unexpected(std::move(unplugged.error()));
    if (!unplugged->empty()) co_await until_gone(domain, mac, limit);
    // It looks for itself what came of the wait: a snapshot may be late.
    auto done = co_await carry_out([finish = std::move(finish), was = std::move(*unplugged)](
                                       virConnectPtr connection) { return finish(connection, was); },
                                   domain, {});
    if (done) co_return Result<>{};
    if (done.error().kind == ErrorKind::io)
        done.error().text +=
            fmt::format("; by then guest {} had been asked to let go of its interface {}: once libvirt "
                        "answers again, the same once more does the rest",
                        domain, mac.to_string());
    co_return std::unexpected(std::move(done.error()));
}

Task<> Watch::until_gone(const std::string& domain, const Mac& mac, Milliseconds limit) {
    const auto plugged = [&] {
        const auto found = snapshot_->domains.find(domain);
        if (found == snapshot_->domains.end() || found->second.state == DomainState::off) return false;
        return std::ranges::any_of(found->second.nics, [&](const Nic& nic) { return nic.mac == mac; });
    };
    const auto until = SteadyClock::now() + limit;
    const auto told = told_.emplace(told_.end(), io_.get_executor());
    while (!stopped_ && plugged() && co_await told->wait(until - SteadyClock::now())) {
    }
    told_.erase(told);
}

Task<Result<std::string>> Watch::network_xml(std::string name) {
    return carry_out([name = std::move(name)](virConnectPtr connection) { return virt::network_xml(connection, name); },
                     {}, {});
}

Task<Result<std::string>> Watch::domain_xml(std::string name) {
    return carry_out([name = std::move(name)](virConnectPtr connection) { return virt::domain_xml(connection, name); },
                     {}, {});
}

} // namespace weft::virt
