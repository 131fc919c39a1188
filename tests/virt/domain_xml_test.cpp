#include "virt/domain_xml.hpp"

#include "tests/virt/texts.hpp"
#include "virt/xml.hpp"

#include <gmock/gmock.h>
#include <rapidcheck.h>

namespace weft::virt {
namespace {

Mac mac(std::string_view text) {
    return Mac::parse(text).value();
}

TEST(DomainXml, NicsOfARunningDomain) {
    const auto nics = parse_nics(kRunningDomain);
    ASSERT_TRUE(nics);
    ASSERT_EQ(nics->size(), 3U); // the one without a MAC and the one in somebody's metadata are none
    EXPECT_EQ(nics->at(0), (Nic{.mac = mac("52:54:00:00:01:10"),
                                .type = "bridge",
                                .network = "private1",
                                .portgroup = "web",
                                .bridge = "br-int",
                                .virtualport = "openvswitch",
                                .interface_id = "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f",
                                .profile_id = "private1/web",
                                .target = "vnet3",
                                .alias = "net0"}));
    EXPECT_EQ(nics->at(1), (Nic{.mac = mac("52:54:00:00:01:11"),
                                .type = "bridge",
                                .network = "",
                                .portgroup = "",
                                .bridge = "br0",
                                .virtualport = "",
                                .interface_id = "",
                                .profile_id = "",
                                .target = "vnet4",
                                .alias = "net1"}));
    EXPECT_EQ(nics->at(2).type, "direct");
    EXPECT_EQ(nics->at(2).bridge, "");
}

TEST(DomainXml, ADomainWithoutDevicesHasNoNics) {
    EXPECT_EQ(parse_nics("<domain/>"), std::vector<Nic>{});
}

TEST(DomainXml, WhatIsNoDomainIsAnError) {
    for (const auto* text :
         {"", "<", "<network/>", "<domain>", "<domain/><domain", "domain", "<!DOCTYPE a [<!ENTITY b"}) {
        const auto nics = parse_nics(text);
        ASSERT_FALSE(nics) << text;
        EXPECT_EQ(nics.error().kind, ErrorKind::protocol);
    }
    EXPECT_FALSE(parse_nics(std::string_view("\0\0\0\0", 4)));
}

TEST(DomainXml, TheElementOfOneMac) {
    const auto element = interface_element(kRunningDomain, mac("52:54:00:00:01:11"));
    ASSERT_TRUE(element);
    EXPECT_THAT(*element, testing::StartsWith("<interface type=\"bridge\">"));
    EXPECT_THAT(*element, testing::HasSubstr("<alias name=\"net1\" />"));
    EXPECT_EQ(parse_interface(*element)->mac, mac("52:54:00:00:01:11"));
    const auto none = interface_element(kRunningDomain, mac("52:54:00:00:01:99"));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error(),
              (Error{ErrorKind::refused, "the domain has no interface with the MAC address 52:54:00:00:01:99"}));
}

TEST(DomainXml, WhatTheGuestSeesMovesToAnotherNetwork) {
    const auto moved = moved_interface(R"(<interface type='bridge' trustGuestRxFilters='yes'>
      <mac address='52:54:00:00:01:11'/>
      <source bridge='br0'/>
      <vlan><tag id='42'/></vlan>
      <virtualport type='openvswitch'><parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport>
      <bandwidth><inbound average='1000'/></bandwidth>
      <target dev='web1-0'/>
      <model type='e1000e'/>
      <driver queues='4'/>
      <filterref filter='clean-traffic'/>
      <link state='down'/>
      <mtu size='9000'/>
      <boot order='1'/>
      <alias name='ua-first'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
    </interface>)",
                                       "private1", "web");
    pugi::xml_document wanted;
    ASSERT_TRUE(wanted.load_string(R"(<interface trustGuestRxFilters='yes' type='network'>
      <mac address='52:54:00:00:01:11'/>
      <model type='e1000e'/>
      <driver queues='4'/>
      <link state='down'/>
      <boot order='1'/>
      <alias name='ua-first'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
      <source network='private1' portgroup='web'/>
    </interface>)"));
    EXPECT_EQ(moved, text_of(wanted.document_element()));
    EXPECT_EQ(moved_interface(moved.value(), "private1", "web"), moved); // it is there already
    EXPECT_EQ(parse_interface(moved_interface(*moved, "private2", "").value())->network, "private2");
    EXPECT_EQ(parse_interface(moved_interface(*moved, "private2", "").value())->portgroup, "");
}

// No XML, but pugixml reads it.
TEST(DomainXml, AnInterfaceOfTwoTypesHasOneWhenItHasMoved) {
    EXPECT_EQ(moved_interface("<interface type='user' type='bridge'/>", "private1", ""),
              moved_interface("<interface/>", "private1", ""));
}

TEST(DomainXml, ADeviceOfTheHostMovesNowhere) {
    const auto moved = moved_interface("<interface type='hostdev'/>", "private1", "");
    EXPECT_EQ(moved.error().kind, ErrorKind::refused);
    EXPECT_EQ(moved_interface("<domain/>", "private1", "").error().kind, ErrorKind::invalid);
}

TEST(DomainXml, ANewInterfaceIsReadAsMeant) {
    const auto text = render_interface("private1", "w'e\"b<&", mac("52:54:00:00:00:01"));
    const auto nics = parse_nics("<domain><devices>" + text + "</devices></domain>");
    ASSERT_TRUE(nics);
    ASSERT_EQ(nics->size(), 1U);
    EXPECT_EQ(nics->front().network, "private1");
    EXPECT_EQ(nics->front().portgroup, "w'e\"b<&");
    EXPECT_THAT(render_interface("a", "", mac("52:54:00:00:00:01")), testing::Not(testing::HasSubstr("portgroup")));
    EXPECT_EQ(parse_interface("<interface/>").error().kind, ErrorKind::invalid);
    EXPECT_EQ(parse_interface("<domain/>").error().kind, ErrorKind::invalid);
}

/// Everything in a Nic is text that stands in the XML, so it comes back whatever it is.
TEST(DomainXml, NamesComeBack) {
    EXPECT_TRUE(rc::check("network and portgroup survive", [] {
        const auto printable = rc::gen::container<std::string>(rc::gen::inRange<char>(' ', 127));
        const auto network = *printable;
        const auto portgroup = *printable;
        const auto address = Mac::from_u64(*rc::gen::arbitrary<std::uint64_t>());
        const auto nics =
            parse_nics("<domain><devices>" + render_interface(network, portgroup, address) + "</devices></domain>");
        RC_ASSERT(nics.has_value());
        RC_ASSERT(nics->size() == 1U);
        RC_ASSERT(nics->front().network == network);
        RC_ASSERT(nics->front().portgroup == portgroup);
        RC_ASSERT(nics->front().mac == address);
    }));
}

TEST(DomainXml, AnyBytesAreReadOrRefused) {
    EXPECT_TRUE(rc::check("edited XML", [] {
        std::string text(kRunningDomain);
        const auto edits = *rc::gen::inRange<std::size_t>(1, 6);
        for (std::size_t i = 0; i < edits; ++i) {
            const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
            text.replace(at, *rc::gen::inRange<std::size_t>(0, 20), *rc::gen::arbitrary<std::string>());
            if (text.empty()) break;
        }
        if (const auto nics = parse_nics(text))
            for (const auto& nic : *nics)
                RC_ASSERT(interface_element(text, nic.mac).has_value());
    }));
}

TEST(DomainXml, DeepNestingIsNoTrouble) {
    std::string deep;
    for (int i = 0; i < 200000; ++i)
        deep += "<a>";
    EXPECT_FALSE(parse_nics("<domain>" + deep));
    for (int i = 0; i < 200000; ++i)
        deep += "</a>";
    EXPECT_TRUE(parse_nics("<domain>" + deep + "</domain>"));
}

} // namespace
} // namespace weft::virt
