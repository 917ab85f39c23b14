#include "subscriber/programs/use_control.hpp"

#include "fixture.hpp"
#include "running.hpp"
#include "subscriber/proc/process_stat.hpp"

namespace lull::subscriber::test::use_control_test {

namespace {

using namespace std::chrono_literals;

struct Controlled {
    Node node{1 << 20};
    ReleaseId id = node.install(1, "1.0", {{"app", program_contents()}});
    EventLoop loop;
    Log log{"test", LogLevel::error};
    RestartMarks marks{node.layout};
    std::vector<Event> told;
    std::optional<RestartMark> mark_at_end;  // as it was when UseEnded was told
    UseControl control{loop, node.layout, log, [this](Event event) {
                           if (auto const mark = marks.read(id.software)) mark_at_end = *mark;
                           told.push_back(std::move(event));
                           loop.stop();
                       }};

    [[nodiscard]] std::unique_ptr<Child> runs(std::string const& how) const {
        auto child = std::make_unique<Child>(std::vector<std::string>{node.layout.tree(id) / "app", how});
        child->wait_ready();
        return child;
    }
    std::string end(std::vector<Holder> const& holders, Duration grace = 60s,
                    std::vector<std::string> const& units = {}) {
        control.end({id, holders, grace, units});
        CHECK(told.empty());  // never within the call
        run_bounded(loop);
        return std::get<UseEnded>(told.back()).what;
    }
};

Holder holder_of(Child const& child) {
    Holder holder;
    holder.pid = child.pid();
    holder.command = "app";
    holder.since = read_process_stat("/proc", child.pid()).value().value().started;
    return holder;
}

}  // namespace

TEST_CASE("users are asked to end, and their supervisors can tell by the mark until they may start again") {
    Controlled controlled;
    auto const child = controlled.runs("wait");
    CHECK(controlled.end({holder_of(*child)}) == fmt::format("pid {} (app) ended 0 s after SIGTERM", child->pid()));
    REQUIRE(controlled.mark_at_end);
    CHECK(controlled.mark_at_end->state == RestartMark::State::ending);
    CHECK(controlled.mark_at_end->names(child->pid()));

    controlled.control.start({controlled.id.software, {}});
    CHECK(std::get<UseStarted>(controlled.told.back()).status);
    auto const mark = controlled.marks.read(controlled.id.software).value();
    REQUIRE(mark);
    CHECK(mark->state == RestartMark::State::over);
}

TEST_CASE("users who do not end within the grace are killed, and all of them are told of") {
    Controlled controlled;
    auto const deaf = controlled.runs("deaf");
    auto const good = controlled.runs("wait");
    auto const what = controlled.end({holder_of(*deaf), holder_of(*good)}, 100ms);
    CHECK_THAT(what,
               Catch::Contains(fmt::format("pid {} (app) did not end after SIGTERM and was killed", deaf->pid())));
    CHECK_THAT(what, Catch::Contains(fmt::format("pid {} (app) ended", good->pid())));
}

TEST_CASE("whoever is gone already is not told of") {
    Controlled controlled;
    auto child = controlled.runs("wait");
    auto const gone = holder_of(*child);
    child->finish();
    CHECK(controlled.end({gone}).empty());
}

TEST_CASE("of many users the first eight are told of and the others counted") {
    Controlled controlled;
    std::vector<std::unique_ptr<Child>> children;
    std::vector<Holder> holders;
    for (int i = 0; i < 10; ++i) {
        children.push_back(controlled.runs("wait"));
        holders.push_back(holder_of(*children.back()));
    }
    CHECK_THAT(controlled.end(holders), Catch::EndsWith(", and 2 more"));
}

TEST_CASE("nobody is ended whose supervisor could not be told") {
    Controlled controlled;
    auto const child = controlled.runs("wait");
    fs::create_directories(controlled.node.layout.restarting(controlled.id.software) / "in the way");
    controlled.control.end({controlled.id, {holder_of(*child)}, 60s, {}});
    if (controlled.told.empty()) run_bounded(controlled.loop);
    CHECK_THAT(std::get<UseEnded>(controlled.told.back()).what, Catch::StartsWith("no process was ended: "));
    CHECK(child->finish() == 0);
}

TEST_CASE("where services cannot be stopped users are ended all the same, and both are told") {
    if (fs::exists("/run/systemd/system")) {
        WARN("skipped: systemd runs this machine");
        return;
    }
    Controlled controlled;
    auto const child = controlled.runs("wait");
    auto const what = controlled.end({holder_of(*child)}, 60s, {"kiosk.service"});
    CHECK_THAT(what, Catch::Contains("systemd"));
    CHECK_THAT(what, Catch::EndsWith(fmt::format("; pid {} (app) ended 0 s after SIGTERM", child->pid())));
    controlled.control.start({controlled.id.software, {"kiosk.service"}});
    run_bounded(controlled.loop);
    CHECK_FALSE(std::get<UseStarted>(controlled.told.back()).status);
}

TEST_CASE("marks that an earlier daemon has left are cleared when one begins") {
    Node node;
    auto const id = node.install(1, "1.0", {{"text", "x"}});
    RestartMarks const marks(node.layout);
    REQUIRE(marks.set(id.software, {4711}));
    EventLoop loop;
    Log log("test", LogLevel::error);
    UseControl const control(loop, node.layout, log, [](Event const&) {});
    auto const mark = marks.read(id.software).value();
    CHECK((!mark || mark->state == RestartMark::State::over));
}

}  // namespace lull::subscriber::test::use_control_test
