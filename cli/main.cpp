// weftctl: what the process has and the commands do not: streams, environment variables, time.
#include "cli/app.hpp"

#include <cstdlib>
#include <iostream>
#include <thread>
#include <unistd.h>

int main(int argc, char** argv) {
    weft::cli::Environment environment{std::cout, std::cerr, {}, ::isatty(STDOUT_FILENO) == 1, [](auto delay) {
                                           std::this_thread::sleep_for(delay);
                                           // A reader that went away (head, less) ends what would go on for ever.
                                           return std::cout.good();
                                       }};
    for (const auto* name : {"WEFT_API", "NO_COLOR", "LIBVIRT_DEFAULT_URI"}) {
        if (const char* value = std::getenv(name)) environment.variables[name] = value;
    }
    const int code = weft::cli::run({argv + 1, argv + argc}, environment);
    std::cout.flush();
    return std::cout.good() ? code : static_cast<int>(weft::cli::kError);
}
