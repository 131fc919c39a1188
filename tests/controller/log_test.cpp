#include "controller/log.hpp"

#include <gtest/gtest.h>

namespace weft::controller {
namespace {

TEST(Log, WritesOneLineWhateverTheText) {
    std::string written;
    Log log(LogLevel::info, [&](std::string_view line) { written += line; });
    log.info("kvm1/port web1", "up on vnet0");
    log.warning("kvm2", "said \"\x1b[31mred\nline two\"");
    log.debug("kvm1", "not wanted");
    EXPECT_EQ(written, "info kvm1/port web1 up on vnet0\nwarning kvm2 said \" [31mred line two\"\n");
    log.set_threshold(LogLevel::debug);
    log.debug("kvm1", "wanted");
    EXPECT_TRUE(written.ends_with("debug kvm1 wanted\n"));
}

TEST(Log, PrefixesPrioritiesForTheJournal) {
    std::string written;
    Log log(LogLevel::debug, [&](std::string_view line) { written += line; }, true);
    log.debug("a", "b");
    log.info("a", "b");
    log.warning("a", "b");
    log.error("a", "b");
    EXPECT_EQ(written, "<7>debug a b\n<6>info a b\n<4>warning a b\n<3>error a b\n");
}

TEST(LogLevel, HasNames) {
    EXPECT_EQ(parse_log_level("warning"), LogLevel::warning);
    EXPECT_EQ(parse_log_level("verbose"), std::nullopt);
}

} // namespace
} // namespace weft::controller
