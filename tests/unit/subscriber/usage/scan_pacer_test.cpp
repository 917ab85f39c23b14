#include "subscriber/usage/scan_pacer.hpp"

#include <catch2/catch.hpp>

namespace lull::subscriber::test::scan_pacer_test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

TEST_CASE("the first look, and one after a calm time, need not wait") {
    ScanPacer pace;
    TimePoint now{};
    CHECK(pace.wait(now) == Duration());
    pace.looked(now, milliseconds(20));
    CHECK(pace.wait(now) == Duration());
    now += seconds(30);
    pace.looked(now, milliseconds(20));
    CHECK(pace.wait(now) == Duration());
}

TEST_CASE("looks that follow each other wait longer and longer, up to a second") {
    ScanPacer pace;
    TimePoint now{};
    pace.looked(now, milliseconds(20));
    for (auto const expected : {80, 160, 320, 640, 1000, 1000}) {
        now += pace.wait(now);
        pace.looked(now, milliseconds(20));
        CHECK(pace.wait(now) == milliseconds(expected));
    }
    now += milliseconds(400);
    CHECK(pace.wait(now) == milliseconds(600));
    now += seconds(3);
    pace.looked(now, milliseconds(20));
    CHECK(pace.wait(now) == Duration());
}

}  // namespace lull::subscriber::test::scan_pacer_test
