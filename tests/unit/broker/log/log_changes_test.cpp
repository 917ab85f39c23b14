#include "broker/log/log_changes.hpp"

#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace log_changes_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

// The heart alone: its effects are taken by hand.
struct Alone final : LogObserver {
    ReleaseLog log{LogIdentity{Epoch{77}}};
    Effects effects;
    LogChanges changes{log, effects};
    SigningKey const signing = SigningKey::generate();
    std::vector<std::string> told;
    Moment const now{TimePoint(std::chrono::hours(1)), WallTime{1'000'000}};

    Alone() { changes.observe(*this); }
    void released(Release const& release, Moment) override {
        told.push_back("released " + release.info.version.text());
    }
    void renewed(Moment) override { told.emplace_back("renewed"); }
    void log_is_free(Moment) override { told.emplace_back("free"); }

    void append(std::string_view version_text) {
        auto const info = make_release("app", version_text, {}).info;
        changes.append(seal(encode(info), domain::update_info, signing), info, now.wall,
                       [this](auto const& release) { told.push_back(release ? "appended" : "not appended"); });
    }
    void finish(Status const& status = {}) {
        for (auto const& persist : all<Persist>(effects.take())) effects.finish({persist.ticket, status}, now);
    }
};

}  // namespace

TEST_CASE("a release joins the log when it is durable, and then the next change may be made") {
    Alone alone;
    alone.append("1");
    CHECK(alone.changes.busy());
    CHECK(alone.log.log().empty());
    CHECK(alone.told.empty());
    alone.finish();
    CHECK_FALSE(alone.changes.busy());
    CHECK(alone.log.head() == Seq{1});
    CHECK(alone.told == std::vector<std::string>{"appended", "released 1", "free"});
}

TEST_CASE("a release that could not be written does not join the log, and its number is used again") {
    Alone alone;
    alone.append("1");
    alone.finish(fail(Fault::no_space, "disk full"));
    CHECK(alone.told == std::vector<std::string>{"not appended", "free"});
    alone.append("2");
    alone.finish();
    CHECK(alone.log.at(Seq{1})->info.version == version("2"));
}

TEST_CASE("entries leave the log when that is durable, and stay if it cannot be written") {
    Alone alone;
    for (auto const* text : {"1", "2"}) {
        alone.append(text);
        alone.finish();
    }
    alone.told.clear();
    auto const note = [&](Moment) { alone.told.emplace_back("removed"); };
    alone.changes.remove({Seq{1}}, note);
    CHECK(alone.changes.busy());
    CHECK(alone.log.at(Seq{1}) != nullptr);
    alone.finish(fail(Fault::no_space, "disk full"));
    CHECK(alone.log.at(Seq{1}) != nullptr);
    CHECK(alone.told == std::vector<std::string>{"free"});
    alone.changes.remove({Seq{1}}, note);
    alone.finish();
    CHECK(alone.log.at(Seq{1}) == nullptr);
    CHECK(alone.told == std::vector<std::string>{"free", "removed", "free"});
}

TEST_CASE("the log is renewed once, and not while another change is on its way") {
    Alone alone;
    alone.append("1");
    alone.changes.renew(Epoch{78}, "because", alone.now.wall);
    alone.finish();
    CHECK(alone.log.epoch() == Epoch{77});
    alone.changes.renew(Epoch{78}, "because", alone.now.wall);
    alone.changes.renew(Epoch{79}, "because", alone.now.wall);
    alone.finish();
    CHECK(alone.log.epoch() == Epoch{78});
    CHECK(alone.told.back() == "free");
    CHECK(std::ranges::count(alone.told, "renewed") == 1);
}

}  // namespace log_changes_test
