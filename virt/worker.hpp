// Worker: the thread that makes all libvirt calls of one host. It connects, reads everything, follows events, carries
// out jobs in their order, and connects again. What it has to say leaves as values by one function, which the
// io_context side gives it (Watch). Internal to virt/*.cpp.
//
// Its thread is detached and shares it: libvirt may hold a call for as long as it likes (connecting has no deadline),
// and stop() waits for nobody. It refers to nothing of the io_context's side.
#pragma once
#include "base/asio.hpp"
#include "virt/libvirt.hpp"
#include "virt/snapshot.hpp"
#include "virt/watch.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <variant>

namespace weft::virt {

/// An attempt to connect has begun.
struct Attempting {};
/// The connection stands, and the snapshot told before is its.
struct Following {};
/// There is no connection; one sentence why.
struct Lost {
    Error error;
};
struct JobDone {
    std::uint64_t job = 0;
    Result<std::string> result;
};
using Told = std::shared_ptr<const Snapshot>;
using Report = std::variant<Attempting, Following, Lost, Told, JobDone>;

class Worker : public std::enable_shared_from_this<Worker> {
  public:
    using Act = std::function<Result<std::string>(virConnectPtr)>;
    using Post = std::function<void(Report)>;

    /// A job: what to do, and the names of what it may change (empty: nothing), which are read again before JobDone,
    /// for not every change has an event.
    struct Job {
        std::uint64_t id = 0;
        Act act;
        std::string domain, network;
    };

    /// `post` is called on the worker's thread, never after stop() returned.
    Worker(std::string uri, WatchOptions options, Post post);

    void start();
    /// No report leaves after it. The thread ends as soon as libvirt lets it.
    void stop();
    /// Queues a job; JobDone tells its end. Without a connection it fails at once.
    void submit(Job job);
    /// Takes back a job that has not begun; whether it had not.
    bool withdraw(std::uint64_t job);

    /// Whether all workers' threads ended within `limit`.
    static bool all_ended(Milliseconds limit);

  private:
    /// What there is to do, taken out of the shared part at once.
    struct Work {
        std::deque<Job> jobs;
        std::set<std::string> domains, networks;
        bool everything = false;
    };
    class Subscriptions;

    void run();
    /// Until the connection ends; why it did.
    Error serve(virConnectPtr connection);
    Result<void> reread(virConnectPtr connection, const Work& work);
    void tell_if_changed(const Snapshot& snapshot);
    void report(Report report);
    /// Fails what is queued. Called while there is no connection.
    void refuse_jobs(const Error& error);
    /// Waits out `delay`, refusing jobs as they come; false once stopped.
    bool wait_out(Milliseconds delay, const Error& why);

    // Called by libvirt on its event loop's thread.
    void domain_changed(virDomainPtr domain);
    void network_changed(virNetworkPtr network);
    void connection_closed(int reason);

    const std::string uri_;
    const WatchOptions options_;

    std::mutex mutex_; ///< guards what follows, up to the worker's own
    std::condition_variable wake_;
    Post post_;
    bool stopped_ = false;
    std::deque<Job> jobs_;
    std::set<std::string> domains_, networks_; ///< names to read again
    std::string closed_;                       ///< why libvirt closed the connection; empty: it did not

    Snapshot current_; ///< the worker thread's own
    Told told_;        ///< likewise: the last one told, also of connections before
};

} // namespace weft::virt
