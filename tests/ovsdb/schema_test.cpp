// The columns weft uses against the schema that is installed here, and against schemas that differ.
#include "ovsdb/schema.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

namespace weft::ovsdb {
namespace {

namespace json = boost::json;

json::value installed_schema() {
    std::ifstream file("/usr/share/openvswitch/vswitch.ovsschema");
    return json::parse(std::string(std::istreambuf_iterator<char>(file), {}));
}

TEST(Schema, IsTheInstalledOne) {
    const auto known = check_schema(installed_schema());
    EXPECT_TRUE(known) << known.error().text;
}

TEST(Schema, AsksForNoColumnThatTheSchemaLacksAndForNoStatistics) {
    const auto schema = installed_schema();
    for (const auto& [table, requests] : monitor_requests()) {
        for (const auto& column : requests.at(0).at("columns").as_array()) {
            EXPECT_TRUE(schema.at("tables").at(table).at("columns").as_object().contains(column.as_string()));
            EXPECT_NE(column, "statistics");
        }
    }
}

TEST(Schema, NamesWhatAnotherSchemaLacks) {
    auto without_table = installed_schema();
    without_table.at("tables").as_object().erase("Datapath");
    EXPECT_TRUE(check_schema(without_table).error().text.contains("Datapath"));

    auto without_column = installed_schema();
    without_column.at("tables").at("Bridge").at("columns").as_object().erase("fail_mode");
    EXPECT_TRUE(check_schema(without_column).error().text.contains("Bridge.fail_mode"));

    auto other_type = installed_schema();
    other_type.at("tables").at("Interface").at("columns").at("ofport").as_object()["type"] = "string";
    EXPECT_TRUE(check_schema(other_type).error().text.contains("Interface.ofport"));

    EXPECT_EQ(check_schema(json::value()).error().kind, ErrorKind::refused);
}

} // namespace
} // namespace weft::ovsdb
