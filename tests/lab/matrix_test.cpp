#include "lab/matrix.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::lab {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Ip kWeb = *Ip::parse("10.0.0.1");
const Ip kDb = *Ip::parse("10.0.0.2");
const Ip kPublic = *Ip::parse("203.0.113.2");

LabPlan pair_plan() {
    LabPlan plan;
    for (const auto& [name, ip] : {std::pair{"web", kWeb}, std::pair{"db", kDb}}) {
        EndpointPlan endpoint;
        endpoint.name = name;
        endpoint.nics.emplace_back().addresses = {Prefix{ip, 24}};
        plan.endpoints.push_back(endpoint);
    }
    return plan;
}

std::vector<Answer> answers() {
    return {{{"web", "db", kDb}, true, kPublic}, {{"db", "web", kWeb}, false, {}}};
}

TEST(Matrix, asks_everybody_for_every_address_of_everybody_else) {
    EXPECT_THAT(probes_of(pair_plan()), ElementsAre(Probe{"web", "db", kDb}, Probe{"db", "web", kWeb}));
}

TEST(Matrix, is_shown_as_json) {
    EXPECT_EQ(to_json(answers()),
              R"([{"from":"web","to":"db","address":"10.0.0.2","reachable":true,"source_seen":"203.0.113.2"},)"
              R"({"from":"db","to":"web","address":"10.0.0.1","reachable":false,"source_seen":null}])");
}

TEST(Matrix, is_shown_to_people) {
    EXPECT_EQ(to_table(pair_plan(), answers()), "FROM \\ TO  web  db\n"
                                                "web        -    yes\n"
                                                "db         no   -\n"
                                                "web → db 10.0.0.2: seen as 203.0.113.2\n");
}

TEST(Matrix, its_own_json_is_what_is_expected) {
    const auto expected = parse_expectations(to_json(answers()));
    ASSERT_TRUE(expected);
    EXPECT_THAT(differences(*expected, answers()), IsEmpty());
}

TEST(Matrix, the_last_line_that_fits_decides) {
    const auto expected = parse_expectations("* * no   # nobody\nweb 10.0.0.2 yes 203.0.113.2\n\n");
    ASSERT_TRUE(expected);
    EXPECT_THAT(differences(*expected, answers()), IsEmpty());
}

TEST(Matrix, differences_are_told) {
    const auto expected = parse_expectations("web db yes 10.0.0.1\ndb web yes\nweb nobody no\n");
    ASSERT_TRUE(expected);
    EXPECT_THAT(differences(*expected, answers()),
                ElementsAre("web → db 10.0.0.2: seen as 203.0.113.2, expected 10.0.0.1",
                            "db → web 10.0.0.1: not reachable, expected reachable",
                            "web → nobody: expected, but no such pair in the lab"));
}

TEST(Matrix, an_expected_source_speaks_for_its_family_only) {
    const Answer v6{{"web", "db", *Ip::parse("fd00::2")}, true, Ip::parse("fd00::1")};
    EXPECT_THAT(differences(*parse_expectations("web db yes 10.0.0.1"), {v6}), IsEmpty());
}

TEST(Matrix, a_bad_line_is_told_by_its_number) {
    EXPECT_EQ(parse_expectations("a b yes\na b perhaps\n").error().text,
              "expectations, line 2: want FROM TO yes|no [SOURCE]");
    EXPECT_FALSE(parse_expectations("[{\"from\":1}]").has_value());
}

} // namespace
} // namespace weft::lab
