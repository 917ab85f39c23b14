#include <catch2/catch.hpp>

#include <random>

#include "broker_fixture.hpp"

namespace sender_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

namespace {

constexpr Bytes frame = Bytes(100);
constexpr Bytes plenty = MiB(100);
constexpr TimePoint start{1000s};

SenderLimits limits_of(std::uint64_t window, std::uint64_t cap, std::size_t transfers = 4) {
    return {.frame = frame,
            .window = Bytes(window),
            .first_window = Bytes(window),
            .cap = Bytes(cap),
            .transfers = transfers};
}

Sender::Transfer transfer(std::string_view object, std::uint64_t size, std::uint64_t offset = 0) {
    return {{1, Bytes(), raw_shape(object, size)}, Bytes(offset), software("app")};
}

// Bytes by session.
std::map<SessionId, std::uint64_t> totals(std::vector<SendFrame> const& frames) {
    std::map<SessionId, std::uint64_t> totals;
    for (auto const& sent : frames) totals[sent.session] += sent.length.count();
    return totals;
}

}  // namespace

TEST_CASE("nothing is sent before the receiver gives credit, and never more than that") {
    Governor free({.on = false});
    Sender sender(limits_of(10'000, 100'000), free);
    CHECK(sender.enqueue(1, transfer("a", 1000)) == Sender::Place::served);
    CHECK(sender.next(start).frames.empty());
    sender.permit(1, Bytes(350));
    CHECK(totals(sender.next(start).frames)[1] == 300);
    sender.permit(1, Bytes(200));  // late: credit never falls
    CHECK(sender.next(start).frames.empty());
    sender.permit(1, Bytes(400));
    CHECK(totals(sender.next(start).frames)[1] == 100);
}

TEST_CASE("an object is sent in frames from where the receiver wants it to its end") {
    Governor free({.on = false});
    Sender sender(limits_of(10'000, 100'000), free);
    sender.permit(1, plenty);
    sender.enqueue(1, transfer("a", 450, 220));
    auto const frames = sender.next(start).frames;
    REQUIRE(frames.size() == 3);
    CHECK(frames[0].offset == Bytes(220));
    CHECK(frames[0].length == frame);
    CHECK(frames[2].offset == Bytes(420));
    CHECK(frames[2].length == Bytes(30));
    CHECK(frames[2].place.shape.object == digest_of("a"));
    CHECK(sender.position(1) == std::nullopt);
    CHECK(sender.sent_for(1, software("app")) == Bytes(230));
    CHECK(sender.sent_for(1, software("other")) == std::nullopt);
}

TEST_CASE("what is not acknowledged stays within the window of the session") {
    Governor free({.on = false});
    Sender sender(limits_of(300, 100'000), free);
    sender.permit(1, plenty);
    sender.enqueue(1, transfer("a", 1000));
    CHECK(totals(sender.next(start).frames)[1] == 300);
    CHECK(sender.next(start).frames.empty());
    CHECK(sender.acknowledge(1, Bytes(100), start));
    CHECK(totals(sender.next(start).frames)[1] == 100);
    CHECK(sender.acknowledge(1, Bytes(400), start));
    CHECK(totals(sender.next(start).frames)[1] == 300);
}

TEST_CASE("what is not acknowledged by all sessions together stays within the cap") {
    Governor free({.on = false});
    Sender sender(limits_of(10'000, 1050), free);
    for (SessionId session = 1; session <= 4; ++session) {
        sender.permit(session, plenty);
        sender.enqueue(session, transfer("a", 10'000));
    }
    for (int turn = 0; turn < 20; ++turn) {
        (void)sender.next(start).frames;
        CHECK(sender.in_flight() <= Bytes(1050));
    }
}

TEST_CASE("sessions that are served get equal shares, and leave a share for whoever comes next") {
    Governor free({.on = false});
    Sender sender(limits_of(10'000, 3000), free);
    for (SessionId session = 1; session <= 2; ++session) {
        sender.permit(session, plenty);
        sender.enqueue(session, transfer("a", 10'000));
    }
    auto const shares = totals(sender.next(start).frames);
    CHECK(shares.at(1) == 1000);
    CHECK(shares.at(2) == 1000);

    // Both vanish without a word; the third is served all the same.
    sender.permit(3, plenty);
    sender.enqueue(3, transfer("a", 10'000));
    CHECK(totals(sender.next(start).frames)[3] > 0);
}

TEST_CASE("sessions take turns frame by frame") {
    Governor free({.on = false});
    Sender sender(limits_of(10'000, 100'000), free);
    for (SessionId session = 1; session <= 3; ++session) {
        sender.permit(session, plenty);
        sender.enqueue(session, transfer("a", 300));
    }
    std::vector<SessionId> order;
    for (auto const& sent : sender.next(start).frames) order.push_back(sent.session);
    CHECK(order == std::vector<SessionId>{1, 2, 3, 1, 2, 3, 1, 2, 3});
}

TEST_CASE("a session without credit does not hold up the others that are served") {
    Governor free({.on = false});
    Sender sender(limits_of(10'000, 100'000), free);
    sender.enqueue(1, transfer("a", 300));
    sender.permit(2, plenty);
    sender.enqueue(2, transfer("a", 300));
    CHECK(totals(sender.next(start).frames)[2] == 300);
}

TEST_CASE("beyond the transfers that are served, sessions queue in the order of asking") {
    Governor free({.on = false});
    Sender sender(limits_of(10'000, 100'000, 2), free);
    CHECK(sender.enqueue(1, transfer("a", 300)) == Sender::Place::served);
    CHECK(sender.enqueue(2, transfer("a", 300)) == Sender::Place::served);
    CHECK(sender.enqueue(3, transfer("a", 300)) == Sender::Place::queued);
    CHECK(sender.enqueue(4, transfer("a", 300)) == Sender::Place::queued);
    CHECK(sender.enqueue(3, transfer("b", 300)) == Sender::Place::queued);
    CHECK(sender.enqueue(1, transfer("b", 300)) == Sender::Place::served);
    CHECK(sender.position(1) == 0);
    CHECK(sender.position(3) == 1);
    CHECK(sender.position(4) == 2);
    CHECK(sender.position(5) == std::nullopt);

    for (SessionId session = 1; session <= 4; ++session) sender.permit(session, plenty);
    std::vector<SessionId> order;
    for (auto const& sent : sender.next(start).frames) order.push_back(sent.session);
    CHECK(order.size() == 18);
    auto const first_of_4 = std::find(order.begin(), order.end(), SessionId{4});
    CHECK(std::find(order.begin(), order.end(), SessionId{3}) < first_of_4);
}

TEST_CASE("dropping a session releases what it had in flight and gives its place to the next") {
    Governor free({.on = false});
    Sender sender(limits_of(1000, 1000, 1), free);
    sender.permit(1, plenty);
    sender.permit(2, plenty);
    sender.enqueue(1, transfer("a", 10'000));
    sender.enqueue(2, transfer("a", 10'000));
    CHECK(totals(sender.next(start).frames)[1] > 0);
    CHECK(sender.position(2) == 1);
    sender.drop(1);
    CHECK(sender.in_flight() == Bytes());
    CHECK(sender.position(2) == 0);
    CHECK(totals(sender.next(start).frames)[2] > 0);
    sender.drop(1);
    sender.drop(9);
}

TEST_CASE("dropping a session that waits lets the ones behind it move up") {
    Governor free({.on = false});
    Sender sender(limits_of(1000, 1000, 1), free);
    for (SessionId session = 1; session <= 3; ++session) sender.enqueue(session, transfer("a", 100));
    sender.drop(2);
    CHECK(sender.position(3) == 1);
}

TEST_CASE("an acknowledgement of bytes that were never sent is refused, a repeated one changes nothing") {
    Governor free({.on = false});
    Sender sender(limits_of(1000, 10'000), free);
    CHECK(sender.acknowledge(1, Bytes(), start));
    CHECK(!sender.acknowledge(1, Bytes(1), start));
    sender.permit(1, plenty);
    sender.enqueue(1, transfer("a", 500));
    (void)sender.next(start).frames;
    CHECK(!sender.acknowledge(1, Bytes(501), start));
    CHECK(sender.acknowledge(1, Bytes(400), start));
    CHECK(sender.acknowledge(1, Bytes(400), start));
    CHECK(sender.acknowledge(1, Bytes(300), start));
    CHECK(sender.in_flight() == Bytes(100));
}

TEST_CASE("a session can ask for a bounded number of objects only") {
    Governor free({.on = false});
    Sender sender(limits_of(1000, 10'000), free);
    for (std::size_t i = 0; i < limits::objects_per_session; ++i) {
        REQUIRE(sender.enqueue(1, transfer("a", 100)) == Sender::Place::served);
    }
    CHECK(sender.enqueue(1, transfer("a", 100)) == Sender::Place::overfull);
    CHECK(sender.enqueue(2, transfer("a", 100)) == Sender::Place::served);
}

// ---- sessions that take nothing ----

namespace {

// Two places, taken by sessions 1 and 2, which have taken all that their windows allow; session 3 waits.
struct Crowded {
    Governor free{{.on = false}};
    Sender sender{limits_of(200, 500, 2), free};
    Crowded() {
        for (SessionId session = 1; session <= 3; ++session) {
            sender.permit(session, plenty);
            sender.enqueue(session, transfer("a", 1000));
        }
        REQUIRE(totals(sender.next(start).frames) == std::map<SessionId, std::uint64_t>{{1, 100}, {2, 100}});
        REQUIRE(sender.position(3) == 1);
    }
};

}  // namespace

TEST_CASE("a session that takes nothing makes room for one that waits, but not at once") {
    Crowded crowd;
    auto& sender = crowd.sender;
    CHECK(sender.next(start + 499ms).frames.empty());
    CHECK(sender.position(3) == 1);
    CHECK(totals(sender.next(start + 500ms).frames) == std::map<SessionId, std::uint64_t>{{3, 100}});
    CHECK(sender.position(3) == 0);
    CHECK(sender.position(1) == 0);
    CHECK(sender.in_flight() == Bytes(300));
}

TEST_CASE("nobody is set aside while nobody waits") {
    Crowded crowd;
    auto& sender = crowd.sender;
    sender.drop(3);
    CHECK(sender.next(start + 1h).frames.empty());
    REQUIRE(sender.acknowledge(1, Bytes(100), start));
    CHECK(totals(sender.next(start + 1h).frames) == std::map<SessionId, std::uint64_t>{{1, 100}});
}

TEST_CASE("a session that was set aside queues again when it can take something, behind the others") {
    Crowded crowd;
    auto& sender = crowd.sender;
    (void)sender.next(start + 500ms).frames;  // 1 is set aside
    sender.permit(4, plenty);
    sender.enqueue(4, transfer("b", 1000));
    REQUIRE(sender.acknowledge(1, Bytes(100), start + 550ms));
    CHECK(sender.position(4) == 1);
    CHECK(sender.position(1) == 2);
    REQUIRE(sender.acknowledge(3, Bytes(100), start + 550ms));
    CHECK(totals(sender.next(start + 600ms).frames) ==
          std::map<SessionId, std::uint64_t>{{3, 100}, {4, 100}});  // 2 took nothing
    sender.drop(3);
    CHECK(totals(sender.next(start + 700ms).frames) == std::map<SessionId, std::uint64_t>{{1, 100}});
}

TEST_CASE(
    "what sessions that were set aside have in flight does not use up the cap of the others, and is bounded itself") {
    Governor free({.on = false});
    Sender sender(limits_of(400, 400, 1), free);
    for (SessionId session = 1; session <= 4; ++session) {
        sender.permit(session, plenty);
        sender.enqueue(session, transfer("a", 1000));
    }
    auto now = start;
    for (SessionId session = 1; session <= 3; ++session) {
        CHECK(totals(sender.next(now).frames)[session] == 200);
        now += 500ms;
    }
    CHECK(sender.next(now).frames.empty());  // 3 would be the third with 200
    CHECK(sender.in_flight() == Bytes(600));
    CHECK(sender.overdue(start + 29s).empty());

    SECTION("the one that was silent for longest goes") {
        REQUIRE(sender.overdue(start + 40s) == std::vector<SessionId>{1});
        sender.drop(1);
        CHECK(totals(sender.next(start + 40s).frames) == std::map<SessionId, std::uint64_t>{{4, 200}});
        CHECK(sender.overdue(start + 40s).empty());
    }
    SECTION("but not if it has acknowledged something, however little") {
        REQUIRE(sender.acknowledge(1, Bytes(1), start + 20s));
        CHECK(sender.overdue(start + 40s) == std::vector<SessionId>{2});
    }
    SECTION("one that can take something again makes room itself") {
        REQUIRE(sender.acknowledge(1, Bytes(200), start + 20s));
        CHECK(totals(sender.next(start + 40s).frames) == std::map<SessionId, std::uint64_t>{{4, 200}});
        CHECK(sender.overdue(start + 40s).empty());
    }
}

namespace {

// Four sessions that are about to get all that they want, which is all that the cap allows.
struct SilentEnd {
    Governor free{{.on = false}};
    Sender sender{limits_of(400, 400, 2), free};
    SilentEnd() {
        for (SessionId session = 1; session <= 4; ++session) {
            sender.permit(session, plenty);
            sender.enqueue(session, transfer("a", 100));
        }
    }
};

}  // namespace

TEST_CASE("sessions that were sent everything and do not acknowledge it do not keep the cap from the others") {
    SilentEnd silent;
    auto& sender = silent.sender;
    REQUIRE(totals(sender.next(start).frames).size() == 4);
    sender.permit(5, plenty);
    sender.enqueue(5, transfer("b", 100));
    CHECK(sender.next(start + 499ms).frames.empty());
    CHECK(totals(sender.next(start + 500ms).frames) == std::map<SessionId, std::uint64_t>{{5, 100}});
    CHECK(sender.in_flight() == Bytes(500));

    for (SessionId session = 1; session <= 5; ++session) REQUIRE(sender.acknowledge(session, Bytes(100), start + 1s));
    CHECK(sender.in_flight() == Bytes());
    sender.enqueue(1, transfer("b", 100));  // and are served again afterwards
    CHECK(totals(sender.next(start + 2s).frames) == std::map<SessionId, std::uint64_t>{{1, 100}});
}

TEST_CASE("a session that was set aside after all was sent asks for more and is served") {
    SilentEnd silent;
    auto& sender = silent.sender;
    (void)sender.next(start).frames;
    sender.permit(5, plenty);
    sender.enqueue(5, transfer("b", 100));
    (void)sender.next(start + 499ms).frames;
    (void)sender.next(start + 500ms).frames;
    REQUIRE(sender.acknowledge(5, Bytes(100), start + 600ms));
    sender.enqueue(1, transfer("b", 100));
    CHECK(totals(sender.next(start + 1s).frames) == std::map<SessionId, std::uint64_t>{{1, 100}});
    for (SessionId session = 1; session <= 4; ++session) sender.drop(session);
    CHECK(sender.in_flight() == Bytes());
}

TEST_CASE("a session gets little until it has acknowledged something") {
    auto limits = limits_of(1000, 10'000);
    limits.first_window = frame;
    Governor free({.on = false});
    Sender sender(limits, free);
    sender.permit(1, plenty);
    sender.enqueue(1, transfer("a", 10'000));
    CHECK(totals(sender.next(start).frames)[1] == 100);
    CHECK(sender.next(start).frames.empty());
    REQUIRE(sender.acknowledge(1, Bytes(100), start));
    CHECK(totals(sender.next(start).frames)[1] == 1000);
}

// Every session keeps whatever it gets and says nothing, or acknowledges now and then. However they do it, the bounds
// hold, and whoever acknowledges everything gets all it wants.
TEST_CASE("the bounds of what is in flight hold whatever the sessions do") {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::minstd_rand draw(seed);
        SenderLimits const limits{
            .frame = frame, .window = Bytes(500), .first_window = frame, .cap = Bytes(2000), .transfers = 5};
        Governor free({.on = false});
        Sender sender(limits, free);
        std::map<SessionId, std::uint64_t> sent;
        auto now = start;
        std::uint64_t honest = 0;
        for (int step = 0; step < 600; ++step, now += 200ms) {
            SessionId const session = 2 + draw() % 40;
            if (step % 3 == 0) {
                sender.permit(session, plenty);
                sender.enqueue(session, transfer("a", 1 + draw() % 700));
            }
            if (draw() % 4 == 0 && sent[session] > 0)
                REQUIRE(sender.acknowledge(session, Bytes(1 + draw() % sent[session]), now));
            if (step == 0) {
                sender.permit(1, plenty);
                sender.enqueue(1, transfer("a", 3000));
            }
            for (auto const& [to, length] : totals(sender.next(now).frames)) sent[to] += length;
            REQUIRE(sender.in_flight() <= limits.cap + limits.cap);
            REQUIRE(sender.acknowledge(1, Bytes(honest = sent[1]), now));
            for (auto const late : sender.overdue(now)) {
                REQUIRE(late != 1);
                sender.drop(late);
                sent.erase(late);
            }
        }
        INFO("seed " << seed);
        REQUIRE(honest == 3000);
    }
}

namespace {

Sender::Transfer urgent(Sender::Transfer transfer, Urgency urgency = Urgency::urgent) {
    transfer.urgency = urgency;
    return transfer;
}

}  // namespace

TEST_CASE("the urgent are served first, and take the place of those that are less so") {
    Governor free({.on = false});
    Sender sender(limits_of(100, 100'000, 2), free);
    for (SessionId session = 1; session <= 5; ++session) sender.permit(session, plenty);
    sender.enqueue(1, transfer("a", 300));
    sender.enqueue(2, urgent(transfer("a", 300), Urgency::background));
    sender.enqueue(3, transfer("a", 300));
    CHECK(sender.position(2) == 1);  // 3 took its place
    CHECK(sender.enqueue(4, urgent(transfer("a", 300))) == Sender::Place::served);
    CHECK(sender.position(3) == 1);  // the last of the less urgent that were served
    CHECK(sender.position(2) == 2);
    CHECK(sender.enqueue(5, transfer("a", 300)) == Sender::Place::queued);
    CHECK(sender.position(5) == 2);  // behind its equals, before the background
    std::vector<SessionId> order;
    for (auto const& sent : sender.next(start).frames) order.push_back(sent.session);
    CHECK(order == std::vector<SessionId>{4, 1});
}

TEST_CASE("a session is as urgent as the most urgent that waits in it, until that is gone") {
    Governor free({.on = false});
    Sender sender(limits_of(1000, 100'000, 1), free);
    for (SessionId session = 1; session <= 3; ++session) sender.permit(session, plenty);
    sender.enqueue(1, transfer("a", 1000));
    sender.enqueue(2, transfer("a", 300));
    sender.enqueue(3, transfer("a", 300));
    CHECK(sender.enqueue(3, urgent(transfer("b", 300))) == Sender::Place::served);
    CHECK(sender.position(1) == 2);
    CHECK(sender.wishes().front().urgency == Urgency::urgent);
    CHECK(totals(sender.next(start).frames)[3] == 600);
}

TEST_CASE("the governor's word holds for every frame, and when it says wait nothing else is asked") {
    Governor governor({});
    Sender sender(limits_of(1'000'000, 10'000'000), governor);
    governor.open(1, {"a site", {}});
    sender.permit(1, plenty);
    sender.enqueue(1, transfer("a", 100'000));
    auto const first = sender.next(start);
    CHECK(first.frames.empty());
    CHECK(first.probes.size() == 1);
    REQUIRE(first.again.has_value());
    CHECK(*first.again > start);
    CHECK(sender.next(start).probes.empty());
    CHECK(sender.next(*first.again).probes.size() == 1);
    sender.enqueue(2, transfer("a", 200));  // its way is not known
    sender.permit(2, plenty);
    CHECK(totals(sender.next(*first.again).frames) == std::map<SessionId, std::uint64_t>{{2, 200}});
}

}  // namespace sender_test
