#include <catch2/catch.hpp>

#include <sys/file.h>
#include <sys/wait.h>

#include <csignal>

#include "broker/data/backup.hpp"
#include "daemon_fixture.hpp"
#include "kill_at_rename.hpp"

namespace temporary_files_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

using Names = std::set<std::string>;

Names names_in(fs::path const& directory) {
    Names names;
    for (auto const& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename().string());
    return names;
}

// Runs `work` in a child process, which is killed when it is about to rename a file.
template <class Work>
void kill_at_rename_of(Work const& work) {
    auto const child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        kill_at_next_rename();
        work();
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGKILL);
}

struct Place {
    lull::test::TemporaryDirectory directory;
    DataDirectory const data{directory / "broker"};
    Person const anna;

    Place() { REQUIRE(init(data.root(), {anna.open("anna")}, "127.0.0.1:7700")); }
    [[nodiscard]] BrokerAddress address(std::string_view host) const {
        return {std::string(host), 7700, PeerKey(data.load_keys()->public_key)};
    }
};

}  // namespace

TEST_CASE("a temporary file that a kill left beside the address is gone after the next start, and nothing else") {
    Place place;
    auto const before = names_in(place.data.root());
    kill_at_rename_of([&] { (void)place.data.save_address(place.address("other")); });
    CHECK(names_in(place.data.root()).size() == before.size() + 1);  // the control: there is something to remove
    {
        RunningDaemon const daemon(place.data.root());
        auto const after = names_in(place.data.root());
        CHECK(std::ranges::includes(after, before));
        CHECK(std::ranges::none_of(after, [](auto const& name) { return name.starts_with(".lull-"); }));
    }
    CHECK(read_file(place.data.address(), KiB(4)));
}

TEST_CASE("what a kill of 'init' left goes when the broker that was completed starts") {
    lull::test::TemporaryDirectory directory;
    Person const anna;
    DataDirectory const data(directory / "broker");
    kill_at_rename_of([&] { (void)init(data.root(), {anna.open("anna")}, "127.0.0.1:7700"); });
    REQUIRE(names_in(data.database()).contains("data.mdb.new"));
    REQUIRE(init(data.root(), {anna.open("anna")}, "127.0.0.1:7700"));
    REQUIRE(write_file_durably(data.database() / "data.mdb.new", as_view("of a crash"), 0600));
    REQUIRE(write_file_durably(data.keys() / ".lull-a1B2c3", as_view("of a crash"), 0600));
    REQUIRE(write_file_durably(data.root() / ".lull-note-of-a-user", as_view("not ours"), 0600));
    RunningDaemon const daemon(data.root());
    CHECK_FALSE(names_in(data.database()).contains("data.mdb.new"));
    CHECK(names_in(data.keys()) == Names{"curve.secret"});
    CHECK(names_in(data.root()).contains(".lull-note-of-a-user"));
}

TEST_CASE("a start that finds the broker running removes nothing of it") {
    Place place;
    RunningDaemon const daemon(place.data.root());
    auto const temporary = place.data.root() / ".lull-a1B2c3";
    REQUIRE(write_file_durably(temporary, as_view("being written"), 0600));
    EventLoop loop;
    Log log("second", LogLevel::error);
    CHECK_FALSE(Daemon::open({place.data, place.address("127.0.0.1"), {}}, loop, log));
    CHECK(fs::exists(temporary));
}

TEST_CASE("what killed backups left goes with the next backup to the same place, whatever its name") {
    Place place;
    kill_at_rename_of([&] { (void)back_up(place.data, place.directory / "monday"); });
    CHECK(names_in(place.directory.path()) == Names{"broker", ".lull-backup-monday"});
    REQUIRE(back_up(place.data, place.directory / "tuesday"));
    CHECK(names_in(place.directory.path()) == Names{"broker", "tuesday"});
    CHECK(DataDirectory(place.directory / "tuesday").load_keys());
}

TEST_CASE("a backup that another process makes is left alone, and one of the same name is refused") {
    Place place;
    auto const partial = place.directory / ".lull-backup-monday";
    fs::create_directory(partial);
    REQUIRE(write_file_durably(partial / "part", as_view("being copied"), 0600));
    auto const other = open_file(partial, O_RDONLY | O_DIRECTORY);
    REQUIRE(flock(other->get(), LOCK_EX | LOCK_NB) == 0);
    CHECK(back_up(place.data, place.directory / "tuesday"));
    CHECK(fs::exists(partial / "part"));
    auto const same = back_up(place.data, place.directory / "monday");
    REQUIRE_FALSE(same);
    CHECK(same.error().fault == Fault::refused);
    CHECK(fs::exists(partial / "part"));
}

TEST_CASE("a backup that is stopped leaves nothing") {
    Place place;
    std::stop_source stop;
    stop.request_stop();
    auto const outcome = back_up(place.data, place.directory / "monday", stop.get_token());
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().fault == Fault::cancelled);
    CHECK(names_in(place.directory.path()) == Names{"broker"});
    CHECK(back_up(place.data, place.directory / "monday"));
}

}  // namespace temporary_files_test
