#include "cli/json_text.hpp"
#include "cli/table.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <sstream>

namespace weft::cli {
namespace {

namespace json = boost::json;

std::string printed(const Table& table, bool colours = false) {
    std::ostringstream out;
    table.print(out, colours, "> ");
    return out.str();
}

TEST(Table, AlignsColumns) {
    Table table({{"NAME"}, {"FLOWS", true}, {"REASON"}});
    table.add({{"kvm1"}, {"12"}, {""}});
    table.add({{"a-long-name"}, {"100000"}, {"r\u00e9fus\u00e9"}});
    EXPECT_EQ(printed(table), "> NAME          FLOWS  REASON\n"
                              "> kvm1             12  -\n"
                              "> a-long-name  100000  r\u00e9fus\u00e9\n");
}

TEST(Table, LeavesOutEmptyColumnsAndTables) {
    Table table({{"A"}, {"B"}});
    EXPECT_EQ(printed(table), "");
    table.add({{"x"}, {""}});
    EXPECT_EQ(printed(table), "> A\n> x\n");
}

TEST(Table, ColoursTextButNotPadding) {
    Table table({{"A"}, {"B"}});
    table.add({{"up", Colour::green}, {"1"}});
    EXPECT_EQ(printed(table, true), "> \x1b[1mA\x1b[0m   \x1b[1mB\x1b[0m\n> \x1b[32mup\x1b[0m  1\n");
}

TEST(Table, DoesNotLetValuesSteerTheTerminal) {
    Table table({{"A"}});
    table.add({{"\x1b[2Jx\n"}});
    EXPECT_EQ(printed(table), "> A\n> ?[2Jx?\n");
}

TEST(Pretty, KeepsKeysInOrderAndParsesBack) {
    const auto* text =
        R"({"z":1,"a":{"list":[1,2],"objects":[{"k":"v\n"},{}],"none":[],"empty":{}},"n":null,"d":2.5,"t":true})";
    const auto value = json::parse(text);
    EXPECT_EQ(pretty(value), R"({
  "z": 1,
  "a": {
    "list": [1, 2],
    "objects": [
      {
        "k": "v\n"
      },
      {}
    ],
    "none": [],
    "empty": {}
  },
  "n": null,
  "d": 2.5,
  "t": true
}
)");
    EXPECT_EQ(json::parse(pretty(value)), value);
}

TEST(Words, SpeakOfAnyValue) {
    EXPECT_EQ(words(json::parse(R"(["a",1,2.5,true,null])")), "a,1,2.5,yes,");
    EXPECT_EQ(words(json::parse(R"({"a":1,"b":["x","y"]})")), "a=1 b=x,y");
    const auto value = json::parse(R"({"sent":{"flow_mods":7},"text":"x"})");
    EXPECT_EQ(words_at(value, "sent.flow_mods"), "7");
    EXPECT_EQ(count_at(value, "sent.flow_mods"), 7U);
    EXPECT_EQ(count_at(value, "text"), 0U);
    EXPECT_EQ(words_at(value, "absent.key"), "");
}

TEST(PrintObject, ShowsScalarsThenTablesThenObjects) {
    std::ostringstream out;
    print_object(
        out,
        json::parse(
            R"({"name":"web1","ips":["10.0.1.10"],"qos":null,"bindings":[{"host":"kvm1","state":"up","rx_packets":5},
                                 {"host":"kvm22","state":"duplicate"}],"limits":{"rate":100,"burst_bits":40}})")
            .get_object(),
        false);
    EXPECT_EQ(out.str(), "name  web1\n"
                         "ips   10.0.1.10\n"
                         "qos   -\n"
                         "\n"
                         "bindings\n"
                         "  HOST   STATE      RX PACKETS\n"
                         "  kvm1   up                  5\n"
                         "  kvm22  duplicate           -\n"
                         "\n"
                         "limits\n"
                         "  rate        100\n"
                         "  burst_bits  40\n");
}

} // namespace
} // namespace weft::cli
