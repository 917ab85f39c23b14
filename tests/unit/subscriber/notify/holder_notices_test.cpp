#include "subscriber/notify/holder_notices.hpp"

#include <sys/stat.h>

#include "fixture.hpp"
#include "running.hpp"

// What is told to whom is in the tests of notices, of the operator's program and of the system's log; this is when they
// are.

namespace lull::subscriber::test::holder_notices_test {

namespace {

class StandingClock final : public Clock {
public:
    [[nodiscard]] TimePoint now() const override { return {}; }
    [[nodiscard]] WallTime wall() const override { return WallTime{5'000'000}; }
};

// Nobody has such a pid (proc(5), pid_max), so that no terminal is found.
Holder holder(std::uint64_t pid = 4'194'305) {
    Holder made;
    made.pid = pid;
    made.uid = 1001;
    made.command = "app";
    made.since = WallTime{1};
    return made;
}

struct Telling {
    explicit Telling(NoticeSettings settings = {})
        : notices(loop, std::move(settings), clock, log, [this](Event event) { told.push_back(std::move(event)); }) {}

    // The holders, as they are told back.
    std::vector<Holder> tell(std::vector<Holder> const& holders) {
        notices.tell_holders({release(1, "1.0"), release(2, "2.0"), holders});
        auto const& answer = std::get<HoldersTold>(told.back());
        CHECK(answer.software == software("app"));
        return answer.holders;
    }

    EventLoop loop;
    StandingClock clock;
    Log log{"test", LogLevel::error};
    std::vector<Event> told;
    HolderNotices notices;
};

}  // namespace

TEST_CASE("whoever has no terminal is not told, and that is said") {
    Telling telling;
    auto const holders = telling.tell({holder(), holder(4'194'306)});
    REQUIRE(holders.size() == 2);
    CHECK_FALSE(holders[0].told);
    CHECK_FALSE(holders[1].told);
    CHECK(telling.tell({}).empty());
}

TEST_CASE("the operator's program is called for each holder that was not told, which counts as telling them") {
    lull::test::TemporaryDirectory directory;
    auto const program = directory / "told";
    auto const fifo = directory / "seen";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    write_text(program, "#!/bin/sh\necho \"$1 $2 $3 $4\" >" + fifo.string() + "\n");
    fs::permissions(program, fs::perms(0755));
    NoticeSettings settings;
    settings.program = program;
    Telling telling(settings);
    auto before = holder(4'194'306);
    before.told = WallTime{3};
    auto const holders = telling.tell({holder(), before});
    REQUIRE(holders.size() == 2);
    CHECK(holders[0].told == WallTime{5'000'000});
    CHECK(holders[1].told == WallTime{3});
    CHECK(contents_of_fifo(fifo) == "app 2.0 1.0 4194305\n");
}

}  // namespace lull::subscriber::test::holder_notices_test
