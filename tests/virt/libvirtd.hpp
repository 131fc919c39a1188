// A libvirtd of a test's own, with real QEMU guests where Debian's qemu-system-x86 is there.
#pragma once
#include "tests/virt/followed.hpp"

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::virt {

/// A directory that everybody may write to, as long as it is used.
class OpenDirectory {
  public:
    OpenDirectory() {
        std::string name = std::filesystem::temp_directory_path() / "weft-libvirtd-XXXXXX";
        path = mkdtemp(name.data());
        std::filesystem::permissions(path, std::filesystem::perms::all);
    }
    ~OpenDirectory() { std::filesystem::remove_all(path); }
    OpenDirectory(const OpenDirectory&) = delete;
    OpenDirectory& operator=(const OpenDirectory&) = delete;

    std::string path;
};

/// A session daemon in a directory of its own; for root as nobody, for one of root's would be the machine's.
class Libvirtd {
  public:
    Libvirtd() {
        // Two on one machine are two hosts to each other, or libvirt migrates nothing.
        std::filesystem::create_directory(directory_ + "/libvirt");
        std::filesystem::permissions(directory_ + "/libvirt", std::filesystem::perms::all);
        static int hosts = 0;
        std::ofstream(directory_ + "/libvirt/libvirtd.conf")
            << fmt::format("host_uuid = \"3ad1c2e4-5b6f-4a7c-9d8e-0f1a2b3c4d{:02}\"\n", ++hosts);
    }
    ~Libvirtd() {
        kill();
        // Guests outlive their libvirtd.
        std::error_code none;
        for (const auto& file : std::filesystem::directory_iterator(directory_ + "/libvirt/qemu/run", none)) {
            pid_t guest = 0;
            if (file.path().extension() == ".pid" && std::ifstream(file.path()) >> guest && guest > 1)
                ::kill(guest, SIGKILL);
        }
    }
    Libvirtd(const Libvirtd&) = delete;
    Libvirtd& operator=(const Libvirtd&) = delete;

    std::string uri(const std::string& driver = "test+unix:///default") const {
        return driver + "?socket=" + directory_ + "/libvirt/libvirt-sock";
    }

    void start() {
        std::vector<std::string> words{"env"};
        for (const auto* variable : {"HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"})
            words.push_back(fmt::format("{}={}", variable, directory_));
        static const OpenDirectory cache; // what QEMU can do: finding it out takes two seconds
        words.push_back(fmt::format("XDG_CACHE_HOME={}", cache.path));
        words.insert(words.end(), {"setpriv", "--pdeathsig", "KILL"});
        if (getuid() == 0) words.insert(words.end(), {"--reuid=65534", "--regid=65534", "--clear-groups"});
        words.emplace_back("libvirtd");
        std::vector<char*> arguments;
        for (auto& word : words)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        ASSERT_EQ(posix_spawnp(&pid_, "env", &actions, nullptr, arguments.data(), environ), 0);
        posix_spawn_file_actions_destroy(&actions);
    }
    void signal(int number) const { ::kill(pid_, number); }
    void kill() {
        if (pid_ <= 0) return;
        signal(SIGKILL);
        waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

    /// Whether it can write down what is configured.
    void let_configure(bool may) const {
        using std::filesystem::perms;
        std::filesystem::permissions(directory_ + "/libvirt/qemu", may ? perms::all
                                                                       : perms::others_read | perms::others_exec |
                                                                             perms::owner_read | perms::owner_exec);
    }

  private:
    OpenDirectory home_;
    const std::string& directory_ = home_.path;
    pid_t pid_ = -1;
};

/// What a test must not do without: how to get it, or to leave it out.
inline std::string missing(const char* program, const char* package) {
    if (access(program, X_OK) == 0) return "";
    return fmt::format("{} is not there: apt-get install {}, or leave this out with WEFT_SKIP_INTEGRATION=1", program,
                       package);
}

class Daemon : public testing::Test {
  protected:
    void SetUp() override {
        const auto* skip = getenv("WEFT_SKIP_INTEGRATION");
        if (skip != nullptr && std::string_view(skip) == "1") GTEST_SKIP() << "WEFT_SKIP_INTEGRATION=1";
        ASSERT_EQ(missing("/usr/sbin/libvirtd", "libvirt-daemon"), "");
    }

    Libvirtd libvirtd;
};

} // namespace weft::virt
