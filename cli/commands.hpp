// The commands of weftctl. Each prints to its context and returns the exit code; app.cpp reads the arguments.
#pragma once
#include "cli/daemon.hpp"
#include "cli/environment.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weft::cli {

struct Context {
    Environment& environment;
    Daemon daemon;
    bool json = false;    ///< -o json
    bool colours = false; ///< on a terminal, without NO_COLOR
    bool watch = false;   ///< again every two seconds
    std::string command;  ///< as typed, for the headline of --watch
};

struct FlowFilter {
    std::string host;
    std::string owner; ///< "kind/name"
    std::string stage;
    bool drops = false;
    bool hits = false;
    bool raw = false;
};

struct EventFilter {
    bool follow = false;
    std::size_t last = 0; ///< only so many of the newest; 0: all
};

/// A VM's NIC and the port that it is to be; what is empty is the daemon's choice.
struct Plug {
    std::string vm;
    std::string from;    ///< of migrate: a libvirt network, or a bridge
    std::string network; ///< of weft's
    std::string port;
    std::vector<std::string> groups; ///< security groups
    std::string qos;
};

/// A question of trace: ports by name, or addresses.
struct Trace {
    std::string from, to;
    std::string protocol;          ///< empty: icmp, or tcp where there is a port
    std::uint16_t target_port = 0; ///< of tcp, udp, sctp
    std::uint16_t source_port = 0; ///< 0: any
    bool reply = false;            ///< the way of the answer
    std::string frame, tunnel;     ///< a frame in hexadecimal instead of a question; "VTEP/VNI" it comes from
    bool full = false;             ///< shows the stages too that only pass the packet on
};

struct SupportBundle {
    std::string file; ///< empty: named after the time, in the directory that one is in
    bool events = true;
    Milliseconds patience{60'000}; ///< with weftd, for each question
};

/// "weftctl: TEXT" on the error stream; kError.
int complain(Context& context, const Error& error);

int validate(Context& context, const std::string& path);
int plan(Context& context, const std::string& path);
/// `confirm_within`: it is to be taken back unless it is confirmed in time.
int apply(Context& context, const std::string& path, std::chrono::seconds timeout,
          std::optional<std::chrono::seconds> confirm_within);
int confirm(Context& context);
/// `revision`: 0 for the one before.
int rollback(Context& context, std::uint64_t revision, std::chrono::seconds timeout);
int history(Context& context);
int status(Context& context);
int wait(Context& context, std::chrono::seconds timeout);
int hosts(Context& context);
int networks(Context& context);
int ports(Context& context);
int routers(Context& context);
int groups(Context& context);
int qos(Context& context);
int gateways(Context& context);
int nat(Context& context);
int flows(Context& context, const FlowFilter& filter);
int show(Context& context, const std::string& kind, const std::string& name);
int trace(Context& context, const Trace& trace);
int events(Context& context, const EventFilter& filter);
int support_bundle(Context& context, const SupportBundle& wanted);
int attach(Context& context, const Plug& plug);
int detach(Context& context, const Plug& plug);
int migrate(Context& context, const Plug& plug);
/// `uri`: libvirt's, empty for LIBVIRT_DEFAULT_URI or qemu:///system. Needs no daemon.
int import_libvirt(Context& context, const std::string& uri);
/// The names of a kind's objects, one a line, for completion; silent when the daemon is.
int names(Context& context, const std::string& kind);

} // namespace weft::cli
