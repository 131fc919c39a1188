// LibvirtAgent: one host's libvirt. It follows it (virt::Watch), tells what VMs it has, and keeps weft's networks there
// equal to those the topology offers. One loop: wait for a change of either side, carry out the first difference.
//
// Rules of life: one thread; kept in a shared_ptr, which its coroutine shares. start() once, stop() or leave() ends it.
#pragma once
#include "base/mailbox.hpp"
#include "controller/published.hpp"
#include "fabric/vm_ports.hpp"
#include "topology/model.hpp"
#include "virt/watch.hpp"

#include <functional>
#include <memory>
#include <string>

namespace weft::controller {

class LibvirtAgent : public std::enable_shared_from_this<LibvirtAgent> {
  public:
    enum class Phase {
        connecting, ///< the first attempt is under way
        down,       ///< not connected
        offering,   ///< networks are being brought up to date
        following,  ///< all is as wanted
        refused,    ///< something in the way that weft must not touch
    };
    struct Wanted {
        std::string uri;
        std::string bridge;
        std::map<std::string, virt::NetworkDefinition> networks;
        bool operator==(const Wanted&) const = default;
    };
    /// Called with what the host's VMs are, also when that becomes old news.
    using Observer = std::function<void(fabric::HostVms)>;
    /// Called when phase() or reason() changed.
    using Changed = std::function<void()>;

    LibvirtAgent(asio::io_context& io, std::string host, Voice voice, Observer observer, Changed changed);

    void start(Wanted wanted);
    void want(Wanted wanted);
    const Wanted& wanted() const { return wanted_; }
    /// The host left the topology, or has no libvirt there any more: takes weft's networks off it, calls nobody any
    /// more but `cleaned` at the end.
    void leave(std::function<void()> cleaned);
    void stop();

    Phase phase() const { return phase_; }
    const std::string& reason() const { return reason_; }
    /// Why a network is not offered there as it should be; empty: it is, or will be.
    std::string refusal_of(const std::string& network) const;
    /// For jobs on the host's domains. Never null between start() and stop().
    const std::shared_ptr<virt::Watch>& watch() const { return watch_; }
    /// Null before the first connection.
    std::shared_ptr<const virt::Snapshot> snapshot() const { return watch_ ? watch_->snapshot() : nullptr; }

  private:
    struct Step;
    Task<void> run();
    void connect();
    void note_watch();
    /// The first difference between the networks that are wanted and those that are there; nothing: none that has not
    /// been refused already.
    std::optional<Step> next_step();
    void enter(Phase phase, std::string reason);

    asio::io_context& io_;
    std::string host_;
    Voice voice_;
    Observer observer_;
    Changed changed_;
    std::function<void()> cleaned_;
    Signal wake_;
    Wanted wanted_;
    std::shared_ptr<virt::Watch> watch_;
    /// Network → what was refused: not tried again until either side of it changes.
    struct Refusal;
    std::map<std::string, std::shared_ptr<const Refusal>> refused_;
    std::map<std::string, int> fruitless_; ///< network → changes that were no use, one after the other
    bool leaving_ = false;
    bool stopped_ = false;
    Phase phase_ = Phase::connecting;
    Phase said_ = Phase::connecting; ///< to people
    std::string said_reason_;        ///< likewise
    std::string reason_ = "not connected yet";
};

std::string_view name_of(LibvirtAgent::Phase phase);

} // namespace weft::controller
