// Watch: one host's libvirt, followed. It connects and connects again, keeps a Snapshot of the domains, their NICs and
// the networks, and carries out changes. Fed by a libvirt URI; feeds whoever binds ports (Snapshot) and offers
// networks.
//
// Rules of life: used on the io_context's one thread, which no libvirt call ever blocks: they are all made by a
// Worker's thread, and events come by libvirt's event loop in a thread of the process. Kept in a shared_ptr. start()
// once; stop() returns at once, and nothing is called after it; jobs under way return an error then. The io_context
// outlives the Watch; the thread of its Worker may outlive both.
#pragma once
#include "base/address.hpp"
#include "base/mailbox.hpp"
#include "base/result.hpp"
#include "virt/snapshot.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

namespace weft::virt {

class Worker;

struct WatchOptions {
    /// Libvirt asks the host's daemon whether it lives after this much silence (whole seconds, at least one), and gives
    /// the connection up after `keepalive_count` questions without an answer (15 s in all by default).
    std::chrono::seconds keepalive{5};
    unsigned keepalive_count = 2;
    /// Everything is read again this often: libvirt has no event for a NIC that is given another network or bridge.
    Milliseconds reread{60'000};
    /// Between two attempts to connect: doubled from the first to the second; a connection of over 5 s begins it anew.
    Milliseconds retry_first{500}, retry_most{10'000};
    /// An attempt that takes longer is told as a failure, and waited for all the same: libvirt cannot be interrupted.
    Milliseconds connect_limit{30'000};
    /// How long a job may take, from its call on.
    Milliseconds job_limit{60'000};
};

/// How long a guest is waited for to let go of a device: an idle system takes a second or two.
inline constexpr Milliseconds kLetGo{15'000};

class Watch : public std::enable_shared_from_this<Watch> {
  public:
    enum class Phase {
        connecting, ///< not started, or the first attempt is under way
        following,  ///< connected; the snapshot is the host's
        down,       ///< not connected; the snapshot is as old as the connection before, tried again by itself
    };

    /// Called with every snapshot that differs from the one before. Never null.
    using Observer = std::function<void(const std::shared_ptr<const Snapshot>&)>;
    /// Called when phase() or reason() changed. The snapshot of a connection is told before it is `following`.
    using Changed = std::function<void()>;

    /// `uri`: what libvirt takes (libvirt.org/uri.html). With ssh, nobody is asked for a password: "no_tty" is added.
    Watch(asio::io_context& io, std::string uri, Observer observer, Changed changed, WatchOptions options = {});
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    /// Begins to connect, and to call. Jobs called before it fail.
    void start();
    /// For good; idempotent. May be called by whom the watch calls, and so may the last reference to it go.
    void stop();

    Phase phase() const { return phase_; }
    /// While down: why, and what to do about it; one sentence.
    const std::string& reason() const { return reason_; }
    /// The last one observed; null before the first.
    const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }

    // Jobs. They are carried out one after the other, in the order of their calls; while one waits for a guest, others
    // have their turn. Errors: `io` not connected, the connection ended, or stopped; `timeout` after job_limit, the
    // text says whether it may still be done; `refused` libvirt's own words, or something of somebody else's is in the
    // way; `invalid` the XML is not what it must be. What they changed has been read and told when they return.

    /// Makes a network of weft's (`render` of a NetworkDefinition, with the mark) be defined, active and started with
    /// the host. One of that name that is weft's is changed: its portgroups at once, its bridge from its next start on
    /// (`refused` says so while it is active). One of that name that is not weft's is left alone: `refused`.
    Task<Result<>> define_network(std::string xml);
    /// Stops and undefines a network of weft's; plugged NICs stay plugged. No such network is a success.
    Task<Result<>> remove_network(const std::string& name);
    // The interfaces of a domain change as a whole: where it runs and in its configuration, as far as it has each, or
    // nowhere. What was done is undone when a step fails, and the error says so where that fails too. Only the end of
    // the connection (`io`) leaves things half done: the same job, called again, does the rest.

    /// Adds an interface (`render_interface`). One with this MAC address is there already: `refused`.
    Task<Result<>> attach_interface(const std::string& domain, std::string xml);
    /// Takes away the interface with this MAC address. A running guest lets go of it when it likes, which is waited
    /// for; after `limit` it is `timeout`, and all is as it was (but the guest may still let go of it later on).
    Task<Result<>> detach_interface(const std::string& domain, Mac mac, Milliseconds limit = kLetGo);
    /// Plugs the interface with this MAC address into another libvirt network; `portgroup` empty: the network's
    /// default. The guest sees its device go and one come that is the same to it (MAC and PCI address, model, boot
    /// order); `limit` as above. It is on that network already: `refused`.
    Task<Result<>> move_interface(const std::string& domain, Mac mac, const std::string& network,
                                  const std::string& portgroup, Milliseconds limit = kLetGo);
    /// XML as libvirt has it now, with all that Snapshot leaves out.
    Task<Result<std::string>> network_xml(std::string name);
    Task<Result<std::string>> domain_xml(std::string name);

    /// For the end of the program, after every stop(): waits, blocking, until no thread is in libvirt any more, because
    /// a process does not end well under its libraries. False after `limit`: some host does not answer.
    static bool all_ended(Milliseconds limit);

  private:
    struct Reply;
    struct Take;
    template <class Act>
    Task<Result<std::string>> carry_out(Act act, std::string domain, std::string network);
    /// Checks, asks the guest to let go of the interface, waits for that, and does what is to be done then.
    template <class Check, class Finish>
    Task<Result<>> take_away(std::string domain, Mac mac, Milliseconds limit, Check check, Finish finish);
    /// Until the domain does not run with this interface any more, or for `limit`, or until stopped.
    Task<> until_gone(const std::string& domain, const Mac& mac, Milliseconds limit);
    void enter(Phase phase, std::string reason);

    asio::io_context& io_;
    std::string uri_;
    Observer observer_;
    Changed changed_;
    WatchOptions options_;
    std::shared_ptr<Worker> worker_;
    asio::steady_timer attempt_; ///< runs while libvirt connects
    std::map<std::uint64_t, std::shared_ptr<Reply>> replies_;
    std::uint64_t next_job_ = 1;
    bool stopped_ = false;
    std::shared_ptr<const Snapshot> snapshot_;
    std::list<Signal> told_; ///< raised with every snapshot
    Phase phase_ = Phase::connecting;
    std::string reason_;
};

} // namespace weft::virt
