#include "controller/store.hpp"

#include "controller/failpoint.hpp"
#include "tests/controller/temporary_directory.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::controller {
namespace {

using test::TemporaryDirectory;

std::unique_ptr<FileStore> open(const TemporaryDirectory& directory) {
    auto store = FileStore::open(directory.path());
    EXPECT_TRUE(store) << (store ? "" : store.error().text);
    return store ? std::move(*store) : nullptr;
}

std::string loaded(Store& store, const std::string& name) {
    const auto blob = store.load(name);
    if (!blob) return "error: " + blob.error().text;
    return *blob ? (*blob)->bytes : "nothing";
}

/// Runs `body` in a child that has `failpoint` armed; the child's exit code.
template <class Body>
int in_child(const std::string& failpoint, Body body) {
    const pid_t child = ::fork();
    if (child == 0) {
        failpoints::arm(failpoint);
        body();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(FileStore, GivesBackWhatWasSaved) {
    const TemporaryDirectory directory;
    const std::string binary("a\0\n\xff", 4);
    {
        const auto store = open(directory);
        EXPECT_EQ(loaded(*store, "state"), "nothing");
        ASSERT_TRUE(store->save("state", "one"));
        ASSERT_TRUE(store->save("state", binary));
        ASSERT_TRUE(store->save("other", ""));
        EXPECT_EQ(loaded(*store, "state"), binary);
    }
    const auto store = open(directory);
    EXPECT_EQ(loaded(*store, "state"), binary);
    EXPECT_EQ(loaded(*store, "other"), "");
    ASSERT_TRUE(store->remove("state"));
    ASSERT_TRUE(store->remove("state"));
    EXPECT_EQ(loaded(*store, "state"), "nothing");
}

TEST(FileStore, LetsOnlyOneDaemonIn) {
    const TemporaryDirectory directory;
    const auto first = open(directory);
    const auto second = FileStore::open(directory.path());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::refused);
    EXPECT_NE(second.error().text.find("another weftd"), std::string::npos);
}

TEST(FileStore, SaysWhereItCannotBe) {
    const auto store = FileStore::open("/proc/weft");
    ASSERT_FALSE(store);
    EXPECT_NE(store.error().text.find("/proc/weft"), std::string::npos);
    EXPECT_NE(store.error().text.find("state_dir"), std::string::npos);
}

TEST(FileStore, SurvivesAKillAtEveryInstant) {
    for (const auto* point : {"store.created", "store.half_written", "store.written", "store.synced",
                              "store.kept_previous", "store.renamed"}) {
        for (int saves = 1; saves <= 3; ++saves) {
            const TemporaryDirectory directory;
            // Saves "1", "2", … and dies in the last of `saves`; before is what the one before it left.
            const auto code = in_child(std::string(point) + ":" + std::to_string(saves), [&] {
                auto store = FileStore::open(directory.path());
                for (int i = 1; i <= saves; ++i)
                    (void)(*store)->save("state", std::to_string(i));
            });
            EXPECT_EQ(code, 137) << point;
            const auto before = saves == 1 ? "nothing" : std::to_string(saves - 1);
            const auto after = std::to_string(saves);
            const auto store = open(directory);
            const auto found = loaded(*store, "state");
            EXPECT_TRUE(found == before || found == after) << point << " " << saves << ": " << found;
            EXPECT_EQ(found, std::string_view(point) == "store.renamed" ? after : before) << point;
            // And it goes on from there.
            ASSERT_TRUE(store->save("state", "next"));
            EXPECT_EQ(loaded(*store, "state"), "next");
        }
    }
}

TEST(FileStore, FallsBackFromEveryTruncation) {
    const TemporaryDirectory directory;
    {
        const auto store = open(directory);
        ASSERT_TRUE(store->save("state", "the first"));
        ASSERT_TRUE(store->save("state", "the second"));
    }
    const auto whole = directory.read("state");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        directory.write("state", whole.substr(0, size));
        const auto store = open(directory);
        const auto blob = store->load("state");
        ASSERT_TRUE(blob && *blob) << size;
        EXPECT_EQ((*blob)->bytes, "the first");
        EXPECT_NE((*blob)->notice.find("the version before it is in force"), std::string::npos);
    }
}

TEST(FileStore, FallsBackFromEveryFlippedBit) {
    const TemporaryDirectory directory;
    {
        const auto store = open(directory);
        ASSERT_TRUE(store->save("state", "the first"));
        ASSERT_TRUE(store->save("state", "the second"));
    }
    const auto whole = directory.read("state");
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        auto damaged = whole;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        directory.write("state", damaged);
        EXPECT_EQ(loaded(*open(directory), "state"), "the first") << bit;
    }
}

TEST(FileStore, KeepsTheLastGoodVersionWhenADamagedOneIsReplaced) {
    const TemporaryDirectory directory;
    {
        const auto store = open(directory);
        ASSERT_TRUE(store->save("state", "the first"));
        ASSERT_TRUE(store->save("state", "the second"));
    }
    directory.write("state", "rubbish");
    // Killed just when the damaged file was moved away: had it become the version before, nothing would be left.
    EXPECT_EQ(in_child("store.kept_previous",
                       [&] { (void)(*FileStore::open(directory.path()))->save("state", "the third"); }),
              137);
    EXPECT_EQ(loaded(*open(directory), "state"), "the first");
    EXPECT_EQ(directory.read("state.damaged"), "rubbish");
}

TEST(FileStore, RefusesWhenNoVersionIsWholeAndSaysWhatToDo) {
    const TemporaryDirectory directory;
    ASSERT_TRUE(open(directory)->save("state", "the only"));
    directory.write("state", "rubbish");
    const auto blob = open(directory)->load("state");
    ASSERT_FALSE(blob);
    EXPECT_NE(blob.error().text.find("restore it from a backup"), std::string::npos) << blob.error().text;
}

TEST(FileStore, ChangesNothingWhenItCannotWrite) {
    const TemporaryDirectory directory;
    const auto store = open(directory);
    ASSERT_TRUE(store->save("state", "the first"));
    std::filesystem::create_directory(directory.path() / "state.new");
    const auto saved = store->save("state", "the second");
    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().kind, ErrorKind::io);
    EXPECT_EQ(loaded(*store, "state"), "the first");
}

TEST(Failpoint, CountsHits) {
    EXPECT_EQ(in_child("here:3",
                       [] {
                           for (int i = 0; i < 2; ++i)
                               failpoint("here");
                           failpoint("there");
                       }),
              0);
    EXPECT_EQ(in_child("here", [] { failpoint("here"); }), 137);
    EXPECT_EQ(in_child("", [] { failpoint(""); }), 0);
}

} // namespace
} // namespace weft::controller
