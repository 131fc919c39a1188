// A Watch with what it said, and an admin's own connection beside it.
#pragma once
#include "tests/ovsdb/run.hpp"
#include "virt/libvirt.hpp"
#include "virt/watch.hpp"

#include <gtest/gtest.h>

namespace weft::virt {

/// Fast enough for a test: nothing here waits for a person.
inline WatchOptions quick() {
    WatchOptions options;
    options.keepalive = std::chrono::seconds(1);
    options.keepalive_count = 2;
    options.retry_first = Milliseconds(20);
    options.retry_most = Milliseconds(100);
    return options;
}

class Followed {
  public:
    explicit Followed(const std::string& uri, WatchOptions options = quick())
        : watch(std::make_shared<Watch>(
              io, uri, [this](const auto& snapshot) { snapshots.push_back(snapshot); }, [this] { ++changes; },
              options)) {}
    ~Followed() {
        watch->stop();
        io.restart();
        io.run(); // nothing of it keeps the context alive
        const auto heard = snapshots.size();
        watch.reset();
        EXPECT_TRUE(Watch::all_ended(Milliseconds(20000)));
        io.restart();
        io.run();
        EXPECT_EQ(snapshots.size(), heard);
    }
    Followed(const Followed&) = delete;
    Followed& operator=(const Followed&) = delete;

    bool eventually(const std::function<bool()>& done) { return test::eventually(io, done); }
    bool follows() {
        return eventually([&] { return watch->phase() == Watch::Phase::following; });
    }
    bool is_down() {
        return eventually([&] { return watch->phase() == Watch::Phase::down; });
    }
    const Domain* domain(const std::string& name) const {
        if (snapshots.empty()) return nullptr;
        const auto found = snapshots.back()->domains.find(name);
        return found == snapshots.back()->domains.end() ? nullptr : &found->second;
    }
    const Network* network(const std::string& name) const {
        if (snapshots.empty()) return nullptr;
        const auto found = snapshots.back()->networks.find(name);
        return found == snapshots.back()->networks.end() ? nullptr : &found->second;
    }
    /// Whether the domain comes into this state.
    bool comes(const std::string& name, DomainState state) {
        return eventually([&] { return domain(name) && domain(name)->state == state; });
    }

    asio::io_context io;
    std::vector<std::shared_ptr<const Snapshot>> snapshots;
    int changes = 0;
    std::shared_ptr<Watch> watch;
};

/// A second connection, whose changes the watch is to see. The test driver's default host lives as long as any
/// connection to it in the process.
class Admin {
  public:
    explicit Admin(const std::string& uri) : connection_((start_event_loop(), virConnectOpen(uri.c_str()))) {
        EXPECT_TRUE(connection_) << last_failure().message;
    }
    virConnectPtr connection() const { return connection_.get(); }
    DomainHandle domain(const std::string& name) const {
        return DomainHandle(virDomainLookupByName(connection_.get(), name.c_str()));
    }
    /// Defines the domain anew with these interfaces.
    void define(const std::string& name, const std::string& interfaces) const {
        std::string uuid;
        if (const auto old = domain(name)) {
            std::array<char, VIR_UUID_STRING_BUFLEN> text{};
            virDomainGetUUIDString(old.get(), text.data());
            uuid = std::string("<uuid>") + text.data() + "</uuid>";
        }
        const auto xml = "<domain type='test'><name>" + name + "</name>" + uuid +
                         "<memory>1024</memory><os><type>hvm</type></os><devices>" + interfaces + "</devices></domain>";
        const DomainHandle defined(virDomainDefineXML(connection_.get(), xml.c_str()));
        EXPECT_TRUE(defined) << last_failure().message;
    }
    void define_network(const std::string& xml) const {
        const NetworkHandle defined(virNetworkDefineXML(connection_.get(), xml.c_str()));
        EXPECT_TRUE(defined) << last_failure().message;
    }

  private:
    Connection connection_;
};

} // namespace weft::virt
