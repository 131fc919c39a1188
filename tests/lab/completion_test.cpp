#include "lab/completion.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace weft::lab {
namespace {

TEST(Completion, KnowsTheCommandsAndWhatTheLabIsMadeOf) {
    CLI::App app;
    for (const auto* command : {"up", "exec", "move", "fault", "completion"})
        app.add_subcommand(command, "")->add_option("--name");
    const auto script = std::filesystem::temp_directory_path() / ("weft-completion-" + std::to_string(::getpid()));
    std::ofstream(script) << bash_completion(app);
    const auto complete = [&](const std::string& line) {
        // A weft-lab whose names end in that of the lab.
        const auto command =
            "function weft-lab { printf \"NAME KIND\\nkvm$3 host\\nweb$3 port\\nweb-$3 endpoint\\n\"; }; "
            "source " +
            script.string() + "; COMP_WORDS=(" + line +
            "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _weft_lab; echo \"${COMPREPLY[@]}\"";
        FILE* pipe = ::popen(("bash -c '" + command + "' 2>&1").c_str(), "r");
        std::string output;
        for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
            output += static_cast<char>(c);
        ::pclose(pipe);
        return output;
    };
    EXPECT_EQ(complete("weft-lab ex"), "exec\n");
    EXPECT_EQ(complete("weft-lab exec --n"), "--name\n");
    EXPECT_EQ(complete("weft-lab exec w"), "web web-\n");
    EXPECT_EQ(complete("weft-lab --name 7 exec w"), "web7 web-7\n");
    EXPECT_TRUE(complete("weft-lab exec web -- trunca").contains("truncate"));
    EXPECT_EQ(complete("weft-lab move w"), "web\n");
    EXPECT_EQ(complete("weft-lab move web k"), "kvm\n");
    EXPECT_EQ(complete("weft-lab fault k"), "kvm\n");
    EXPECT_EQ(complete("weft-lab fault kvm cut"), "cut-link\n");
    EXPECT_EQ(complete("weft-lab fault weftd s"), "start\n");
    EXPECT_EQ(complete("weft-lab completion b"), "bash\n");
    std::filesystem::remove(script);
}

} // namespace
} // namespace weft::lab
