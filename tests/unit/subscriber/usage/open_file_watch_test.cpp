#include "subscriber/usage/open_file_watch.hpp"

#include "fixture.hpp"
#include "subscriber/usage/lease_probe.hpp"

namespace lull::subscriber::test::open_file_watch_test {

namespace {

struct Watched {
    lull::test::TemporaryDirectory directory;
    fs::path path = directory / "file";
    EventLoop loop;
    int told = 0;

    Watched() { write_text(path, "contents"); }
    [[nodiscard]] std::unique_ptr<OpenFileWatch> watch() {
        auto made = OpenFileWatch::open(loop, path, [this] {
            ++told;
            loop.stop();
        });
        REQUIRE(made);
        return std::move(*made);
    }
    // Runs the loop until it was told so often, or nothing comes for half a second.
    void run(int times) {
        while (told < times) {
            bool late = false;
            auto const timer = loop.after(std::chrono::milliseconds(500), [&] {
                late = true;
                loop.stop();
            });
            loop.run();
            loop.cancel(timer);
            if (late) return;
        }
    }
};

}  // namespace

TEST_CASE("the watch tells when the last of those who have a file open has closed it, once") {
    Watched at;
    Child opener({TEST_PROGRAM, "open", at.path});
    Child mapper({TEST_PROGRAM, "map", at.path});
    opener.wait_ready();
    mapper.wait_ready();
    auto const watch = at.watch();
    opener.finish();
    at.run(1);
    CHECK(at.told == 0);
    mapper.finish();
    at.run(1);
    CHECK(at.told == 1);
    { Child later({TEST_PROGRAM, "open", at.path}); }
    at.run(2);
    CHECK(at.told == 1);
}

TEST_CASE("a file that nobody has open any more when the watch begins is told of as well") {
    Watched at;
    auto const watch = at.watch();
    at.run(1);
    CHECK(at.told == 1);
}

TEST_CASE("a watch that is gone tells nothing, and what is not there cannot be watched") {
    Watched at;
    at.watch().reset();
    at.run(1);
    CHECK(at.told == 0);
    CHECK_FALSE(OpenFileWatch::open(at.loop, at.directory / "missing", [] {}));
}

TEST_CASE("what this process has open itself does not count") {
    Node node{1 << 20};
    auto const id = node.install(1, "1.0", {{"data", "contents"}});
    auto const path = node.layout.tree(id) / "data";
    auto const ours = open_file(path, O_RDONLY);
    REQUIRE(ours);
    CHECK_FALSE(find_open_file(node.layout, id).value());
}

}  // namespace lull::subscriber::test::open_file_watch_test
