#include "subscriber/agent/report_outbox.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/agent_bench.hpp"

namespace report_outbox_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;

namespace {

Report report_of(std::uint64_t revision) {
    return {software(), Seq{1}, NodeState::active, revision, WallTime{1}, "", {}, std::nullopt};
}

struct Outbox {
    void put(std::uint64_t revision) {
        store::Batch batch;
        reports.put(report_of(revision), batch);
        CHECK(batch.size() == 1);
    }
    std::vector<Report> sent_now() {
        reports.send_due(now);
        return sent<Report>(effects.take());
    }
    AgentSettings settings;
    Effects effects;
    Session session{settings, effects};
    ReportOutbox reports{{}, effects, session};
    Moment now{TimePoint(std::chrono::seconds(1000)), WallTime{1}};
};

}  // namespace

TEST_CASE("a report is sent once when it is durable, and not before") {
    Outbox outbox;
    outbox.put(1);
    outbox.reports.send_again();
    CHECK(outbox.sent_now().empty());
    outbox.reports.durable(software(), 1);
    CHECK(outbox.sent_now() == std::vector{report_of(1)});
    CHECK(outbox.sent_now().empty());
}

TEST_CASE("a newer report takes the place of the one before, also where that one is durable") {
    Outbox outbox;
    outbox.put(1);
    outbox.reports.durable(software(), 1);
    outbox.put(2);
    CHECK(outbox.sent_now().empty());
    outbox.reports.durable(software(), 2);
    CHECK(outbox.sent_now() == std::vector{report_of(2)});
}

TEST_CASE("a report is kept until just this revision is acknowledged") {
    Outbox outbox;
    outbox.put(2);
    outbox.reports.durable(software(), 2);
    outbox.reports.on(ReportAck{software(), 1}, outbox.now);
    CHECK(outbox.reports.pending());
    CHECK(outbox.effects.take().empty());
    outbox.reports.on(ReportAck{software(), 2}, outbox.now);
    CHECK_FALSE(outbox.reports.pending());
    auto const batch = only<Persist>(outbox.effects.take()).batch;
    REQUIRE(batch.size() == 1);
    CHECK(batch[0].table == journal::outbox);
    CHECK_FALSE(batch[0].value);
}

}  // namespace report_outbox_test
