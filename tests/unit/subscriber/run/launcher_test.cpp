#include "subscriber/run/launcher.hpp"

#include <sys/stat.h>

#include <memory>
#include <sstream>
#include <thread>

#include "fixture.hpp"
#include "subscriber/install/switch_current.hpp"
#include "subscriber/usage/in_use.hpp"

namespace lull::subscriber::test::launcher_test {

namespace {

struct Launching {
    Node node{1 << 20};
    Layout const& layout = node.layout;
    std::string program = program_contents();
    ReleaseId one = node.install(1, "1.0", {{"bin/", ""}, {"bin/app", program}});
    ReleaseId two = node.install(2, "2.0", {{"bin/", ""}, {"bin/app", program}});

    Launching() { REQUIRE(switch_current(layout, one)); }

    // A process that does what `lull-node run app -- ARGUMENTS` does.
    [[nodiscard]] std::unique_ptr<Child> start(std::vector<std::string> const& arguments, uid_t user = getuid()) const {
        std::vector<std::string> words = {TEST_PROGRAM, "launch", layout.root(), "app", std::to_string(user)};
        words.insert(words.end(), arguments.begin(), arguments.end());
        return std::make_unique<Child>(std::move(words));
    }
    // What `show` prints if this version was started.
    [[nodiscard]] std::string shown(ReleaseId const& id) const {
        auto const tree = layout.tree(id).string();
        return fmt::format("app|{}|{}|{}/bin/app", id.version.text(), tree, tree);
    }
};

std::vector<std::string> words_of(std::string const& line) {
    std::istringstream stream(line);
    return {std::istream_iterator<std::string>(stream), {}};
}

// Whether a process waits for a lock on this file: "1: -> OFDLCK ADVISORY READ -1 fe:00:4711 0 EOF".
bool somebody_waits_for(fs::path const& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    auto const inode = ":" + std::to_string(status.st_ino);
    auto const bytes = read_file("/proc/locks", MiB(16));
    REQUIRE(bytes);
    std::istringstream lines{std::string(as_text(*bytes))};
    for (std::string line; std::getline(lines, line);) {
        auto const words = words_of(line);
        if (words.size() > 6 && words[1] == "->" && words[6].ends_with(inode)) return true;
    }
    return false;
}

LaunchRequest request(std::optional<std::string> program = std::nullopt) {
    return {software("app"), std::move(program), {}};
}

}  // namespace

TEST_CASE("a launched program runs the current version, with its variables, arguments and exit status") {
    Launching app;
    auto const child = app.start({"show", "a b", ""});
    CHECK(child->output() == app.shown(app.one) + "|a b|");
    CHECK(child->finish() == 7);
}

TEST_CASE("a launched program holds its version, by lock and in /proc, under the pid of its launcher") {
    Launching app;
    auto const child = app.start({"wait"});
    child->wait_ready();
    CHECK_FALSE(UseLock::try_exclusive(app.layout.lock(app.one)).value());
    CHECK(UseLock::try_exclusive(app.layout.lock(app.two)).value());
    auto const holders = find_holders(app.layout, app.one).value().holders;
    REQUIRE(holders.size() == 1);
    CHECK(holders[0].pid == child->pid());
    CHECK(child->finish() == 0);
    CHECK(UseLock::try_exclusive(app.layout.lock(app.one)).value());
}

TEST_CASE("an ordinary user can launch") {
    Launching app;
    if (geteuid() != 0) {
        WARN("skipped: only root can become another user");
        return;
    }
    fs::permissions(app.node.directory.path(), fs::perms(0755));
    auto const child = app.start({"show"}, 65534);
    CHECK(child->output() == app.shown(app.one));
}

TEST_CASE("a launch during a switch waits and then runs the new version") {
    Launching app;
    auto lock = UseLock::try_exclusive(app.layout.lock(app.one)).value();
    REQUIRE(lock);
    auto const child = app.start({"show"});
    while (!somebody_waits_for(app.layout.lock(app.one))) std::this_thread::yield();
    // Who waits for the lock does not use the version yet.
    CHECK(find_holders(app.layout, app.one).value().holders.empty());
    REQUIRE(switch_current(app.layout, app.two));
    lock.reset();
    CHECK(child->output() == app.shown(app.two));
}

TEST_CASE("a launch that waited while its version was removed and staged again locks the new lock file") {
    Launching app;
    auto lock = UseLock::try_exclusive(app.layout.lock(app.one)).value();
    auto const child = app.start({"wait"});
    while (!somebody_waits_for(app.layout.lock(app.one))) std::this_thread::yield();
    fs::remove(app.layout.lock(app.one));
    write_text(app.layout.lock(app.one), "");
    lock.reset();
    child->wait_ready();
    CHECK_FALSE(UseLock::try_exclusive(app.layout.lock(app.one)).value());
}

TEST_CASE("over 200 switches every launch that was begun during one runs exactly the new version") {
    Launching app;
    for (int flip = 0; flip < 200; ++flip) {
        auto const& old = flip % 2 == 0 ? app.one : app.two;
        auto const& fresh = flip % 2 == 0 ? app.two : app.one;
        auto lock = UseLock::try_exclusive(app.layout.lock(old)).value();
        REQUIRE(lock);
        std::vector<std::unique_ptr<Child>> launches;
        for (int i = 0; i < 3; ++i) launches.push_back(app.start({"show"}));
        // At different moments of the launches.
        if (flip % 3 == 0) {
            while (!somebody_waits_for(app.layout.lock(old))) std::this_thread::yield();
        }
        REQUIRE(switch_current(app.layout, fresh));
        launches.push_back(app.start({"show"}));
        lock.reset();
        for (auto const& launch : launches) CHECK(launch->output() == app.shown(fresh));
    }
}

TEST_CASE("launches and switches at will: each launch runs one whole version") {
    Launching app;
    std::vector<std::unique_ptr<Child>> running;
    std::map<std::string, int> seen;
    int switches = 0;
    for (int round = 0; round < 200; ++round) {
        running.push_back(app.start({"show"}));
        auto const old = app.layout.current(software("app")).value().value();
        auto const& fresh = old == app.one ? app.two : app.one;
        if (auto const lock = UseLock::try_exclusive(app.layout.lock(old)).value()) {
            REQUIRE(switch_current(app.layout, fresh));
            ++switches;
        }
        if (running.size() < 4) continue;
        ++seen[running.front()->output()];
        running.erase(running.begin());
    }
    running.clear();
    CHECK(switches > 0);
    CHECK(seen.size() <= 2);
    for (auto const& [text, count] : seen) CHECK((text == app.shown(app.one) || text == app.shown(app.two)));
}

TEST_CASE("what is started: the program asked for, else what the release names, else the program of its own name") {
    Node node;
    std::uint64_t seq = 0;
    auto const prepare = [&](std::vector<std::string> start, Tree const& tree) {
        ++seq;
        auto const id = release(seq, std::to_string(seq));
        auto job = node.job(id, tree);
        job.manifest.start = std::move(start);
        Publisher::Release sealed{job.manifest, {}, {}};
        node.publisher.seal_again(sealed);
        job.manifest_envelope = sealed.envelope;
        REQUIRE(stage(job, node.layout, node.objects, Bytes(0)));
        REQUIRE(switch_current(node.layout, id));
        return node.layout.tree(id);
    };
    Tree const tree = {{"app", "x:2"},         {"bin/", ""},        {"bin/app", "x:1"},
                       {"bin/link", "->tool"}, {"bin/tool", "x:3"}, {"text", "4"}};
    SECTION("the release's own word, with arguments") {
        auto const at = prepare({"bin/tool", "--mode", "kiosk"}, tree);
        auto asked = request();
        asked.arguments = {"more"};
        auto const launch = prepare_launch(node.layout, asked);
        REQUIRE(launch);
        CHECK(launch->program == at / "bin/tool");
        CHECK(launch->arguments == std::vector<std::string>{"--mode", "kiosk", "more"});
        auto const other = prepare_launch(node.layout, request("bin/app"));
        REQUIRE(other);
        CHECK(other->program == at / "bin/app");
        CHECK(other->arguments.empty());
    }
    SECTION("bin/NAME before NAME") {
        auto at = prepare({}, tree);
        CHECK(prepare_launch(node.layout, request()).value().program == at / "bin/app");
        at = prepare({}, {{"app", "x:2"}});
        CHECK(prepare_launch(node.layout, request()).value().program == at / "app");
    }
    SECTION("a link of the release keeps its name") {
        auto const at = prepare({}, tree);
        CHECK(prepare_launch(node.layout, request("bin/link")).value().program == at / "bin/link");
    }
    SECTION("nothing that is outside, no directory, no plain file") {
        auto const at = prepare({}, tree);
        for (auto const* wrong : {"../../../../../../../../bin/sh", "/bin/sh", "bin", "text", "nothing", "", "."}) {
            INFO(wrong);
            auto const launch = prepare_launch(node.layout, request(wrong));
            CHECK_FALSE(launch);
        }
        auto const error = prepare_launch(node.layout, request("nothing")).error();
        CHECK(error.fault == Fault::not_found);
        CHECK(error.message.find("bin/tool") != std::string::npos);
        CHECK(error.message.find("text") == std::string::npos);
    }
    SECTION("nothing to start: says what there is") {
        prepare({}, {{"other", "x:1"}, {"second", "x:2"}});
        auto const error = prepare_launch(node.layout, request()).error();
        CHECK(error.fault == Fault::not_found);
        CHECK(error.message.find("\n  other") != std::string::npos);
    }
    SECTION("the only program of a release, whatever its name") {
        auto const at = prepare({}, {{"tool-1.4", "x:1"}, {"README", "text"}});
        CHECK(prepare_launch(node.layout, request()).value().program == at / "tool-1.4");
    }
}

TEST_CASE("software that is not installed cannot be launched, and a broken current is no reason to guess") {
    Node node;
    CHECK(prepare_launch(node.layout, request()).error().fault == Fault::not_found);
    auto const id = node.install(1, "1.0", {{"app", "x:1"}});
    fs::create_symlink("versions/7-7.0", node.layout.current_link(id.software));
    CHECK(prepare_launch(node.layout, request()).error().fault == Fault::not_found);
    fs::remove(node.layout.current_link(id.software));
    fs::create_symlink("..", node.layout.current_link(id.software));
    CHECK(prepare_launch(node.layout, request()).error().fault == Fault::damaged);
}

}  // namespace lull::subscriber::test::launcher_test
