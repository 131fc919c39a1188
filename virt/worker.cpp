#include "virt/worker.hpp"

#include "base/backoff.hpp"
#include "virt/quiet_thread.hpp"
#include "virt/read.hpp"

#include <fmt/format.h>

namespace weft::virt {
namespace {

using namespace std::chrono_literals;

/// A connection of this length was a good one: the back-off begins anew.
constexpr Milliseconds kSettled = 5s;

/// How many threads there are. Never destroyed: they may outlive everything else.
struct Threads {
    std::mutex mutex;
    std::condition_variable ended;
    int count = 0;
};
Threads& threads() {
    static auto* const all = new Threads;
    return *all;
}

std::string why_closed(int reason) {
    switch (reason) {
    case VIR_CONNECT_CLOSE_REASON_KEEPALIVE:
        return "it does not answer any more";
    case VIR_CONNECT_CLOSE_REASON_EOF:
        return "it closed the connection";
    default:
        return "the connection broke";
    }
}

} // namespace

/// What libvirt calls the worker for, for as long as a connection lasts.
class Worker::Subscriptions {
  public:
    Subscriptions(std::shared_ptr<Worker> worker, virConnectPtr connection)
        : worker_(std::move(worker)), connection_(connection) {}
    Subscriptions(const Subscriptions&) = delete;
    Subscriptions& operator=(const Subscriptions&) = delete;
    ~Subscriptions() {
        for (const int id : domain_ids_)
            virConnectDomainEventDeregisterAny(connection_, id);
        if (network_id_ >= 0) virConnectNetworkEventDeregisterAny(connection_, network_id_);
        if (closes_) virConnectUnregisterCloseCallback(connection_, closed);
    }

    Result<void> subscribe() {
        // Drivers that live in this process take it, keep nothing and never call: so it has no share. The worker
        // outlives it, and libvirt calls under the lock that unregistering takes.
        closes_ = virConnectRegisterCloseCallback(connection_, closed, worker_.get(), nullptr) == 0;
        // Migrations are lifecycle events of both ends (started, suspended, resumed, stopped "migrated"), and at the
        // source the end of its job. Libvirt's own migration events count rounds of copying: nothing here shows them.
        if (!on_domain(VIR_DOMAIN_EVENT_ID_LIFECYCLE, generic<virConnectDomainEventGenericCallback>(lifecycle)))
            return std::unexpected(call_error(connection_, "follow the domains"));
        // What a driver has no events for is seen by reading everything again.
        on_domain(VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, generic<virConnectDomainEventGenericCallback>(device));
        on_domain(VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, generic<virConnectDomainEventGenericCallback>(device));
        on_domain(VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, generic<virConnectDomainEventGenericCallback>(job_completed));
        network_id_ = virConnectNetworkEventRegisterAny(connection_, nullptr, VIR_NETWORK_EVENT_ID_LIFECYCLE,
                                                        generic<virConnectNetworkEventGenericCallback>(network),
                                                        share(), release);
        given(network_id_);
        return {};
    }

  private:
    using Shared = std::shared_ptr<Worker>;
    static Worker& of(void* opaque) { return **static_cast<Shared*>(opaque); }
    static void release(void* opaque) { delete static_cast<Shared*>(opaque); }

    /// What libvirt keeps for a callback, and releases when it gives the callback up.
    void* share() {
        kept_ = new Shared(worker_);
        return kept_;
    }
    /// Whether libvirt took the callback; if not, it did not take what share() made either.
    bool given(int result) {
        if (result < 0) delete kept_;
        kept_ = nullptr;
        return result >= 0;
    }

    /// Libvirt takes callbacks of all kinds as one type, and calls each as what its event says it is.
    template <class Generic, class Function>
    static Generic generic(Function* function) {
        return reinterpret_cast<Generic>(reinterpret_cast<void (*)()>(function));
    }

    bool on_domain(int event, virConnectDomainEventGenericCallback callback) {
        const int id = virConnectDomainEventRegisterAny(connection_, nullptr, event, callback, share(), release);
        if (given(id)) domain_ids_.push_back(id);
        return id >= 0;
    }

    static int lifecycle(virConnectPtr, virDomainPtr domain, int, int, void* worker) {
        of(worker).domain_changed(domain);
        return 0;
    }
    static void device(virConnectPtr, virDomainPtr domain, const char*, void* worker) {
        of(worker).domain_changed(domain);
    }
    static void job_completed(virConnectPtr, virDomainPtr domain, virTypedParameterPtr, int, void* worker) {
        of(worker).domain_changed(domain);
    }
    static void network(virConnectPtr, virNetworkPtr network, int, int, void* worker) {
        of(worker).network_changed(network);
    }
    static void closed(virConnectPtr, int reason, void* worker) {
        static_cast<Worker*>(worker)->connection_closed(reason);
    }

    std::shared_ptr<Worker> worker_;
    virConnectPtr connection_;
    Shared* kept_ = nullptr;
    std::vector<int> domain_ids_;
    int network_id_ = -1;
    bool closes_ = false;
};

Worker::Worker(std::string uri, WatchOptions options, Post post)
    : uri_(std::move(uri)), options_(options), post_(std::move(post)) {}

void Worker::start() {
    {
        const std::lock_guard lock(threads().mutex);
        ++threads().count;
    }
    start_quiet_thread([self = shared_from_this()]() mutable {
        self->run();
        self.reset();
        const std::lock_guard lock(threads().mutex);
        --threads().count;
        threads().ended.notify_all();
    });
}

bool Worker::all_ended(Milliseconds limit) {
    std::unique_lock lock(threads().mutex);
    return threads().ended.wait_for(lock, limit, [] { return threads().count == 0; });
}

void Worker::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    post_ = {};
    jobs_.clear();
    wake_.notify_all();
}

void Worker::submit(Job job) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    wake_.notify_all();
}

bool Worker::withdraw(std::uint64_t job) {
    const std::lock_guard lock(mutex_);
    return std::erase_if(jobs_, [&](const Job& queued) { return queued.id == job; }) > 0;
}

void Worker::report(Report report) {
    const std::lock_guard lock(mutex_);
    if (!stopped_) post_(std::move(report));
}

void Worker::refuse_jobs(const Error& error) {
    std::deque<Job> jobs;
    {
        const std::lock_guard lock(mutex_);
        jobs.swap(jobs_);
    }
    for (const auto& job : jobs)
        report(JobDone{job.id, std::unexpected(error)});
}

bool Worker::wait_out(Milliseconds delay, const Error& why) {
    const auto until = SteadyClock::now() + delay;
    for (;;) {
        refuse_jobs(why);
        std::unique_lock lock(mutex_);
        wake_.wait_until(lock, until, [&] { return stopped_ || !jobs_.empty(); });
        if (stopped_) return false;
        if (jobs_.empty()) return true;
    }
}

void Worker::run() {
    Backoff backoff(options_.retry_first, options_.retry_most);
    for (;;) {
        report(Attempting{});
        Error error;
        auto loop = start_event_loop();
        Connection connection(loop ? virConnectOpen(uri_.c_str()) : nullptr);
        if (connection) {
            const auto connected = SteadyClock::now();
            error = serve(connection.get());
            error.text = fmt::format("libvirt at {}: {}", uri_, error.text);
            if (SteadyClock::now() - connected > kSettled) backoff.reset();
        } else {
            error = loop ? connect_error(uri_, last_failure()) : loop.error();
        }
        report(Lost{error});
        connection.reset();
        if (!wait_out(backoff.next(), error)) return;
    }
}

Error Worker::serve(virConnectPtr connection) {
    {
        const std::lock_guard lock(mutex_);
        closed_.clear();
        domains_.clear();
        networks_.clear();
    }
    // Drivers in this process have none.
    virConnectSetKeepAlive(connection, static_cast<int>(options_.keepalive.count()), options_.keepalive_count);
    // First the events, then everything: what changes in between is read twice, not missed.
    Subscriptions subscriptions(shared_from_this(), connection);
    if (auto done = subscriptions.subscribe(); !done) return done.error();
    bool following = false;
    auto next_reread = SteadyClock::now();
    for (;;) {
        Work work;
        {
            std::unique_lock lock(mutex_);
            wake_.wait_until(lock, next_reread, [&] {
                return stopped_ || !closed_.empty() || !jobs_.empty() || !domains_.empty() || !networks_.empty();
            });
            if (stopped_) return {ErrorKind::io, "stopped"};
            if (!closed_.empty()) return {ErrorKind::io, closed_};
            work.everything = SteadyClock::now() >= next_reread;
            work.domains.swap(domains_);
            work.networks.swap(networks_);
            // One job at a time, so that the others can still be withdrawn, and once the host is known.
            if (following && !jobs_.empty()) {
                work.jobs.push_back(std::move(jobs_.front()));
                jobs_.pop_front();
            }
        }
        if (auto done = reread(connection, work); !done) return done.error();
        if (work.everything) next_reread = SteadyClock::now() + options_.reread;
        if (!std::exchange(following, true)) report(Following{});
        for (const auto& job : work.jobs) {
            auto result = job.act(connection);
            Work touched;
            if (!job.domain.empty()) touched.domains.insert(job.domain);
            if (!job.network.empty()) touched.networks.insert(job.network);
            const auto seen = reread(connection, touched);
            report(JobDone{job.id, std::move(result)});
            if (!seen) return seen.error();
        }
    }
}

Result<void> Worker::reread(virConnectPtr connection, const Work& work) {
    if (work.everything) {
        auto all = read_all(connection, current_);
        if (!all) return std::unexpected(all.error());
        current_ = std::move(*all);
        tell_if_changed(current_);
        return {};
    }
    // What cannot be read just now stays as it was: the next event, or the next reading of everything, has it.
    const auto update = [](auto& values, const std::string& name, auto value) -> Result<void> {
        if (!value) {
            if (value.error().kind == ErrorKind::io) return std::unexpected(value.error());
        } else if (*value) {
            values[name] = std::move(**value);
        } else {
            values.erase(name);
        }
        return {};
    };
    for (const auto& name : work.domains)
        if (auto done = update(current_.domains, name, read_domain(connection, name)); !done) return done;
    for (const auto& name : work.networks)
        if (auto done = update(current_.networks, name, read_network(connection, name)); !done) return done;
    tell_if_changed(current_);
    return {};
}

void Worker::tell_if_changed(const Snapshot& snapshot) {
    if (told_ && *told_ == snapshot) return;
    told_ = std::make_shared<const Snapshot>(snapshot);
    report(told_);
}

void Worker::domain_changed(virDomainPtr domain) {
    const std::lock_guard lock(mutex_);
    domains_.insert(virDomainGetName(domain));
    wake_.notify_all();
}

void Worker::network_changed(virNetworkPtr network) {
    const std::lock_guard lock(mutex_);
    networks_.insert(virNetworkGetName(network));
    wake_.notify_all();
}

void Worker::connection_closed(int reason) {
    const std::lock_guard lock(mutex_);
    closed_ = why_closed(reason);
    wake_.notify_all();
}

} // namespace weft::virt
