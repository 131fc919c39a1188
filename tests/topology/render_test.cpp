// What the admin reads, to the letter.
#include "tests/topology/texts.hpp"

namespace weft::topology {
namespace {

constexpr std::string_view kRed = "[[network]]\nname = \"red\"\nkind = \"vxlan\"\nsubnet = \"10.0.1.0/24\"\n";

std::string red_and(std::string_view more) {
    return problems_of(std::string(kRed) + std::string(more));
}

TEST(Render, MisspeltKey) {
    EXPECT_EQ(problems_of("[[network]]\nname = \"a\"\nkind = \"vxlan\"\nsubnett = \"10.0.1.0/24\"\n"),
              R"(t.toml:4:1: error: unknown key 'subnett' in [[network]]
   4 | subnett = "10.0.1.0/24"
     | ^
     = did you mean 'subnet'?
)");
}

TEST(Render, KeyOfAnInlineTable) {
    EXPECT_EQ(red_and("dhcp = { range = \"10.0.1.5-10.0.1.9\", laese = \"1h\" }\n"),
              R"(t.toml:5:39: error: unknown key 'laese' in 'dhcp' of [[network]]
   5 | dhcp = { range = "10.0.1.5-10.0.1.9", laese = "1h" }
     |                                       ^
     = did you mean 'lease'?
)");
}

TEST(Render, MissingKey) {
    EXPECT_EQ(problems_of("\n[[network]]\nname = \"a\"\n"), R"(t.toml:2:1: error: missing 'kind' in [[network]]
   2 | [[network]]
     | ^
)");
}

TEST(Render, MissingReferenceWithANearMiss) {
    EXPECT_EQ(red_and("[[port]]\nname = \"p\"\nnetwork = \"redd\"\n"),
              R"(t.toml:7:11: error: there is no network 'redd'
   7 | network = "redd"
     |           ^
     = did you mean 'red'?
)");
}

TEST(Render, MissingReferenceWithoutOne) {
    EXPECT_EQ(red_and("[[port]]\nname = \"p\"\nnetwork = \"office\"\n"),
              R"(t.toml:7:11: error: there is no network 'office'
   7 | network = "office"
     |           ^
     = define it with [[network]], or correct the name
)");
}

TEST(Render, NameTwice) {
    EXPECT_EQ(red_and("[[network]]\nname = \"red\"\nkind = \"local\"\n"),
              R"(t.toml:6:8: error: network 'red' is defined twice
   6 | name = "red"
     |        ^
t.toml:2:8: note: the other is here
   2 | name = "red"
     |        ^
)");
}

TEST(Render, AddressOutsideItsSubnet) {
    EXPECT_EQ(red_and("[[port]]\nname = \"p\"\nnetwork = \"red\"\nip = \"10.0.2.5\"\n"),
              R"(t.toml:8:6: error: 10.0.2.5 is outside 10.0.1.0/24, the subnet of network 'red'
   8 | ip = "10.0.2.5"
     |      ^
     = choose another address, or leave it out to have one allocated
t.toml:4:10: note: the other is here
   4 | subnet = "10.0.1.0/24"
     |          ^
)");
}

TEST(Render, WrongType) {
    EXPECT_EQ(red_and("vni = \"5001\"\n"), R"(t.toml:5:7: error: 'vni' must be an integer from 1 to 16777215, not "5001"
   5 | vni = "5001"
     |       ^
)");
}

TEST(Render, HostBitsInASubnet) {
    EXPECT_EQ(
        problems_of("[[network]]\nname = \"a\"\nkind = \"local\"\nsubnet = \"10.0.1.7/24\"\n"),
        R"(t.toml:4:10: error: 'subnet' must be an IPv4 prefix like "10.0.1.0/24", from /1 to /30, not "10.0.1.7/24"
   4 | subnet = "10.0.1.7/24"
     |          ^
     = did you mean "10.0.1.0/24"?
)");
}

TEST(Render, MisspeltSection) {
    EXPECT_EQ(problems_of("[[hosts]]\nname = \"a\"\n"), R"(t.toml:1:3: error: unknown key 'hosts'
   1 | [[hosts]]
     |   ^
     = did you mean 'host'?
)");
}

TEST(Render, SyntaxError) {
    EXPECT_EQ(problems_of("[[host]]\nname = kvm1\n"),
              R"(t.toml:2:8: error: TOML syntax: value: could not determine value type
   2 | name = kvm1
     |        ^
)");
}

TEST(Render, Warning) {
    EXPECT_EQ(problems_of("[[host]]\nname = \"h\"\n[[network]]\nname = \"a\"\nkind = \"flat\"\nphysnet = \"lan\"\n"),
              R"(t.toml:6:11: warning: no host has an uplink to physical network 'lan'
   6 | physnet = "lan"
     |           ^
     = add it to 'uplinks' of a host, here or in weftd's settings
)");
}

TEST(Render, EveryProblemInOrderOfPlace) {
    EXPECT_EQ(problems_of("[[port]]\nname = \"p\"\nnetwork = \"a\"\n[[network]]\nname = \"n\"\nkind = \"vlan\"\n"
                          "physnet = 3\n"),
              R"(t.toml:3:11: error: there is no network 'a'
   3 | network = "a"
     |           ^
     = define it with [[network]], or correct the name
t.toml:4:1: error: network 'n' of kind "vlan" needs 'vlan'
   4 | [[network]]
     | ^
t.toml:7:11: error: 'physnet' must be a name of letters, digits, '.', '_' and '-' that begins with a letter or digit, at most 63 long, not 3
   7 | physnet = 3
     |           ^
     = put it in quotes: "3"
)");
}

TEST(Render, CountsCodePointsAndKeepsTabs) {
    EXPECT_EQ(problems_of("[[host]]\n\tname = \"a\"\n\t\"é\" = 1\r\n[[port]]\nname=\"p\"\nnetwork={'ü'=1}\n"),
              "t.toml:3:2: error: unknown key 'é' in [[host]]\n"
              "   3 | \t\"é\" = 1\n"
              "     | \t^\n"
              "t.toml:6:9: error: 'network' must be a name of letters, digits, '.', '_' and '-' that begins with a "
              "letter or digit, at most 63 long, not a table\n"
              "   6 | network={'ü'=1}\n"
              "     |         ^\n");
}

TEST(Render, KeepsControlCharactersFromTheTerminal) {
    EXPECT_EQ(problems_of("[[host]]\nname = \"a\"\n\"x\\u001b[2J\" = 1\n"),
              "t.toml:3:1: error: unknown key 'x?[2J' in [[host]]\n"
              "   3 | \"x\\u001b[2J\" = 1\n"
              "     | ^\n");
}

TEST(Render, AProblemWithoutAPlaceIsOneLine) {
    EXPECT_EQ(render({.text = "no address left", .remedy = "widen the subnet"}, {}),
              "error: no address left\n     = widen the subnet\n");
}

} // namespace
} // namespace weft::topology
