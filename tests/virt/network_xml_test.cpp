#include "virt/network_xml.hpp"

#include "tests/virt/texts.hpp"

#include <gmock/gmock.h>
#include <rapidcheck.h>

namespace weft::virt {
namespace {

std::string replaced(std::string_view text, std::string_view what, std::string_view by) {
    std::string changed(text);
    changed.replace(changed.find(what), what.size(), by);
    return changed;
}

NetworkDefinition private1() {
    return wanted_network("private1", "br-int", {{"web", true}, {"db", false}});
}

TEST(NetworkXml, WhatIsDefined) {
    EXPECT_EQ(render(private1()), R"(<network>
  <name>private1</name>
  <metadata>
    <weft:network xmlns:weft="https://weft/libvirt/network/1" name="private1" />
  </metadata>
  <forward mode="bridge" />
  <bridge name="br-int" />
  <virtualport type="openvswitch" />
  <portgroup name="db">
    <virtualport type="openvswitch">
      <parameters profileid="private1/db" />
    </virtualport>
  </portgroup>
  <portgroup name="web" default="yes">
    <virtualport type="openvswitch">
      <parameters profileid="private1/web" />
    </virtualport>
  </portgroup>
</network>
)");
}

TEST(NetworkXml, WhatLibvirtMakesOfItIsTheSame) {
    const auto have = parse_network(kListedNetwork);
    ASSERT_TRUE(have);
    EXPECT_EQ(have->uuid, "048eb476-7ff1-4090-b3df-959484e37cb2");
    EXPECT_TRUE(same(*have, private1()));
}

TEST(NetworkXml, WhatDecidesHowANicIsPluggedDiffers) {
    struct Edit {
        std::string_view what, by;
    };
    for (const auto& [what, by] : {
             Edit{"<name>private1", "<name>private2"},
             Edit{"mode='bridge'", "mode='nat'"},
             Edit{"br-int", "br0"},
             Edit{"<virtualport type='openvswitch'/>", ""},
             Edit{"<virtualport type='openvswitch'/>", "<virtualport type='802.1Qbh'/>"},
             Edit{"<virtualport type='openvswitch'/>",
                  "<virtualport type='openvswitch'><parameters profileid='x'/></virtualport>"},
             Edit{"<virtualport type='openvswitch'/>", "<virtualport type='openvswitch'/><vlan><tag id='7'/></vlan>"},
             Edit{"default='yes'", ""},
             Edit{"private1/db", "private1/web"},
             Edit{"name='db'>", "name='db'><bandwidth><inbound average='1'/></bandwidth>"},
             Edit{"<portgroup name='db'>", "<portgroup name='more'/><portgroup name='db'>"},
             Edit{"https://weft/libvirt/network/1", "https://weft/libvirt/network/2"},
             Edit{"name=\"private1\"", "name=\"private2\""},
         }) {
        const auto have = parse_network(replaced(kListedNetwork, what, by));
        ASSERT_TRUE(have) << by;
        EXPECT_FALSE(same(*have, private1())) << by;
    }
}

TEST(NetworkXml, TheMarkIsFoundByItsNamespace) {
    const auto mark = [](std::string_view metadata) {
        return parse_network("<network><metadata>" + std::string(metadata) + "</metadata></network>")->mark;
    };
    EXPECT_EQ(mark("<a:network xmlns:a='https://weft/libvirt/network/1' name='n'/>"), "n");
    EXPECT_EQ(mark("<network xmlns='https://weft/libvirt/network/1' name='n'/>"), "n");
    EXPECT_EQ(mark("<weft:network name='n'/>"), std::nullopt);
    EXPECT_EQ(mark("<a:network xmlns:a='https://example.org' name='n'/>"), std::nullopt);
    EXPECT_EQ(mark("<a:other xmlns:a='https://weft/libvirt/network/1' name='n'/>"), std::nullopt);
    EXPECT_EQ(parse_network("<network xmlns:w='https://weft/libvirt/network/1'><metadata><w:network "
                            "name='n'/></metadata></network>")
                  ->mark,
              "n");
}

TEST(NetworkXml, NetworksOfOthers) {
    const auto nat = parse_network(kNatNetwork);
    ASSERT_TRUE(nat);
    EXPECT_EQ(nat->name, "default");
    EXPECT_EQ(nat->bridge, "virbr0");
    EXPECT_EQ(nat->forward, "nat");
    EXPECT_EQ(nat->mark, std::nullopt);
    EXPECT_EQ(parse_network("<network><name>isolated</name></network>")->forward, "");
    for (const auto* text : {"", "<domain/>", "<network>", "<network"})
        EXPECT_EQ(parse_network(text).error().kind, ErrorKind::protocol) << text;
}

TEST(NetworkXml, ProfileIdsFit) {
    const std::string forty(40, 'n');
    EXPECT_EQ(profile_id("private1", "web"), "private1/web");
    EXPECT_EQ(profile_id(std::string(19, 'n'), std::string(19, 'p')).size(), kLongestProfileId);
    EXPECT_EQ(profile_id(std::string(19, 'n'), std::string(19, 'p')).find('~'), std::string::npos);
    const auto shortened = profile_id(forty, "web");
    EXPECT_EQ(shortened.size(), kLongestProfileId);
    EXPECT_THAT(shortened, testing::StartsWith(std::string(22, 'n') + "~"));
    EXPECT_NE(shortened, profile_id(forty, "db"));
    // On hosts and in domains: never another one.
    EXPECT_EQ(profile_id("a-network-with-a-rather-long-name", "and-a-portgroup"),
              "a-network-with-a-rathe~044ed49b3cd924f2");
}

NetworkDefinition any_network() {
    const auto name =
        rc::gen::suchThat(rc::gen::container<std::string>(rc::gen::elementOf(std::string("abcXYZ019._-"))),
                          [](const std::string& text) { return !text.empty() && text.size() <= 63; });
    std::map<std::string, bool> portgroups;
    for (const auto& portgroup : *rc::gen::container<std::set<std::string>>(name))
        portgroups[portgroup] = *rc::gen::arbitrary<bool>();
    return wanted_network(*name, *name, portgroups);
}

TEST(NetworkXml, ReadingWhatIsWrittenIsTheIdentity) {
    EXPECT_TRUE(rc::check("parse of render", [] {
        const auto network = any_network();
        const auto read = parse_network(render(network));
        RC_ASSERT(read.has_value());
        RC_ASSERT(*read == network);
        RC_ASSERT(same(*read, network));
        for (const auto& [portgroup, value] : network.portgroups)
            RC_ASSERT(value.profile_id.size() <= kLongestProfileId);
    }));
}

TEST(NetworkXml, OfTwoPortgroupsOfOneNameTheFirstCounts) {
    const auto network = parse_network("<network><portgroup name='a' default='yes'/><portgroup name='a'/></network>");
    EXPECT_TRUE(network->portgroups.at("a").is_default);
}

} // namespace
} // namespace weft::virt
