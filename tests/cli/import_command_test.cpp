#include "cli/import_libvirt.hpp"
#include "tests/cli/import_file.hpp"
#include "tests/cli/scripted_daemon.hpp"

#include <gmock/gmock.h>

namespace weft::cli {
namespace {

using test::errors_of;
using test::parsed;
using test::uncommented;
using testing::HasSubstr;

TEST(ImportCommand, ReadsLibvirt) {
    test::ScriptedDaemon daemon;
    // libvirt's own driver for tests: a running domain "test" and network "default", 192.168.122.0/24.
    const auto ran = daemon.weftctl({"import", "libvirt", "--uri", "test:///default"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    const auto topology = parsed(ran.out);
    ASSERT_EQ(topology.hosts.size(), 1U);
    EXPECT_EQ(topology.hosts.begin()->second.libvirt, "test:///default");
    EXPECT_EQ(topology.networks.at("default").subnet->to_string(), "192.168.122.0/24");
    EXPECT_THAT(ran.err, HasSubstr("  the way to the outside: "));
    EXPECT_EQ(errors_of(uncommented(ran.out)), "");
    EXPECT_EQ(parsed(uncommented(ran.out)).hosts.begin()->second.datapath, topology::Datapath::system);
    EXPECT_TRUE(daemon.asked().empty());
    daemon.variables["LIBVIRT_DEFAULT_URI"] = "test:///default";
    EXPECT_EQ(daemon.weftctl({"import", "libvirt"}).out, ran.out);
}

TEST(ImportCommand, SaysWhyLibvirtDoesNotAnswer) {
    test::ScriptedDaemon daemon;
    const auto ran = daemon.weftctl({"import", "libvirt", "--uri", "qemu+unix:///system?socket=/nowhere/libvirt-sock"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, testing::StartsWith("weftctl: cannot reach libvirt at qemu+unix:///system?socket="));
    EXPECT_THAT(ran.err, HasSubstr("systemctl status libvirtd"));
    EXPECT_EQ(daemon.weftctl({"import", "openstack"}).code, 1);
    EXPECT_EQ(daemon.weftctl({"import"}).code, 1);
}

TEST(ImportCommand, ReadsTheRulesOfThisMachineOnlyForItsOwnLibvirt) {
    EXPECT_TRUE(is_local("qemu:///system"));
    EXPECT_TRUE(is_local("qemu+unix:///system?socket=/run/x"));
    for (const auto* uri :
         {"qemu+ssh://root@kvm2/system", "qemu+tls://kvm2/system", "test:///default", "qemu", "", "qemu+ssh:///system"})
        EXPECT_FALSE(is_local(uri)) << uri;
}

} // namespace
} // namespace weft::cli
