// Plugging: an admin's `attach`, `detach` and `migrate`: a VM's NIC and its port, together or not at all. First
// everything is checked; then the port, the libvirt network's portgroup, the NIC, and the wait until the port is up.
// What a failing step leaves is undone, last first.
//
// Rules of life: one thread; lives as long as the supervisor. Every call is a coroutine of up to two minutes.
#pragma once
#include "controller/supervisor.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace weft::controller {

struct PlugRequest {
    std::string vm;
    std::string network; ///< weft's
    std::string from;    ///< migrate: a libvirt network, a bridge, or the NIC's MAC
    std::string port;    ///< empty: the topology's port of that VM there, else a dynamic one
    std::vector<std::string> security_groups;
    std::string qos;
};

struct Plugged {
    std::string port, network, vm, host;
    Mac mac;
    std::vector<Ip> ips;
    std::string interface; ///< empty: the VM is off
    bool up = false;
};

class Plugging {
  public:
    explicit Plugging(Supervisor& supervisor) : supervisor_(supervisor) {}

    // Errors: invalid (what the request asks for cannot be: which part, and what can), refused (libvirt or the guest
    // says no), io (the host's libvirt is not reached), timeout. After any of them all is as it was, or the text says
    // what is not.

    /// Gives the VM a NIC on the network, running and in its configuration.
    Task<Result<Plugged>> attach(PlugRequest request);
    /// Takes its NIC on the network away; the dynamic port goes with it.
    Task<Result<Plugged>> detach(PlugRequest request);
    /// Moves a NIC that it has from a libvirt network or bridge to the network; the MAC stays.
    Task<Result<Plugged>> migrate(PlugRequest request);

  private:
    struct Place;
    struct Target;
    Result<Place> find(const std::string& vm) const;
    Result<Target> target_of(const PlugRequest& request, const Place& place, std::optional<Mac> mac) const;
    /// Holds the target's port, waits until its portgroup is offered, does `act` with it, and lets go of the port.
    Task<Result<>> carry_out(Target target, std::string uuid, std::string host,
                             std::function<Task<Result<>>(std::string)> act);
    /// The VM's NICs on the network, with their ports' names; empty: no port.
    std::map<Mac, std::string> nics_on(const PlugRequest& request, const Place& place) const;
    /// The libvirt network with the portgroup is there.
    Task<Result<>> offered(std::string host, std::string network, std::string portgroup);
    /// The port is plugged in and in the datapath; where `running` is false, nothing is waited for.
    Task<Result<Plugged>> plugged(Plugged so_far, bool running);
    void fill_in(Plugged& plugged) const;

    Supervisor& supervisor_;
};

} // namespace weft::controller
