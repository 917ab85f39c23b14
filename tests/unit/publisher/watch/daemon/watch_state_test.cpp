#include "publisher/watch/daemon/watch_state.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/unit/publisher/trees.hpp"

namespace watch_state_test {

using namespace lull;
using namespace lull::publisher::watch;
using test::put_file;

namespace {

WatchState example() {
    auto const app = SoftwareName::parse("app").value();
    LastRelease const last{VersionName::parse("1.0").value(), WallTime{7}, sha256(as_view("a")), sha256(as_view("b"))};
    WatchState state;
    state.directory = "/srv/software";
    state.pid = 42;
    state.started = "4711";
    state.written = WallTime{9};
    state.kernel = "the kernel reports changes";
    state.software = {{app, WallTime{8}, last, "a change", "an error \xff"}, {app, std::nullopt, std::nullopt, "", ""}};
    state.software[0].error = "an error";
    state.invalid = {"a b is not watched"};
    state.remembered = {{app, last}};
    return state;
}

}  // namespace

TEST_CASE("a state is read as it was written") {
    test::TemporaryDirectory temporary;
    auto const file = state_file(temporary.path(), "/srv/software");
    CHECK(WatchState::load(file).error().fault == Fault::not_found);
    REQUIRE(example().save(file));
    CHECK(WatchState::load(file).value() == example());
    CHECK(file != state_file(temporary.path(), "/srv/other"));
    CHECK(lock_file(temporary.path(), "/srv/software").extension() == ".lock");
}

TEST_CASE("a file that is no state is refused, whatever is in it") {
    test::TemporaryDirectory temporary;
    auto const file = temporary / "state";
    for (auto const* const text : {"", "{", "[]", "null", "{}", R"({"format": 2})", R"({"format": "1", "pid": []})"}) {
        put_file(file, text);
        auto const state = WatchState::load(file);
        REQUIRE_FALSE(state);
        CHECK(state.error().fault == Fault::damaged);
    }
    REQUIRE(example().save(file));
    auto text = std::string(as_text(read_file(file, MiB(1)).value()));
    text.replace(text.find("\"1.0\""), 5, "\"../\"");
    put_file(file, text);
    CHECK_FALSE(WatchState::load(file).value().software.at(0).last);  // a release that is none is left out
}

TEST_CASE("a process is known by its number and the time of its start") {
    CHECK_FALSE(start_of_process(getpid()).empty());
    CHECK(start_of_process(getpid()) == start_of_process(getpid()));
    CHECK(start_of_process(-1).empty());
}

}  // namespace watch_state_test
