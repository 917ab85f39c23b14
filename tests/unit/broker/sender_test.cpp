#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

constexpr Bytes frame = Bytes(100);
constexpr Bytes plenty = MiB(100);

SenderLimits limits_of(std::uint64_t window, std::uint64_t cap, std::size_t transfers = 4) {
    return {.frame = frame, .window = Bytes(window), .cap = Bytes(cap), .transfers = transfers};
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
    Sender sender(limits_of(10'000, 100'000));
    CHECK(sender.enqueue(1, transfer("a", 1000)) == Sender::Place::served);
    CHECK(sender.next().empty());
    sender.permit(1, Bytes(350));
    CHECK(totals(sender.next())[1] == 300);
    sender.permit(1, Bytes(200));  // late: credit never falls
    CHECK(sender.next().empty());
    sender.permit(1, Bytes(400));
    CHECK(totals(sender.next())[1] == 100);
}

TEST_CASE("an object is sent in frames from where the receiver wants it to its end") {
    Sender sender(limits_of(10'000, 100'000));
    sender.permit(1, plenty);
    sender.enqueue(1, transfer("a", 450, 220));
    auto const frames = sender.next();
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
    Sender sender(limits_of(300, 100'000));
    sender.permit(1, plenty);
    sender.enqueue(1, transfer("a", 1000));
    CHECK(totals(sender.next())[1] == 300);
    CHECK(sender.next().empty());
    CHECK(sender.acknowledge(1, Bytes(100)));
    CHECK(totals(sender.next())[1] == 100);
    CHECK(sender.acknowledge(1, Bytes(400)));
    CHECK(totals(sender.next())[1] == 300);
}

TEST_CASE("what is not acknowledged by all sessions together stays within the cap") {
    Sender sender(limits_of(10'000, 1050));
    for (SessionId session = 1; session <= 4; ++session) {
        sender.permit(session, plenty);
        sender.enqueue(session, transfer("a", 10'000));
    }
    for (int turn = 0; turn < 20; ++turn) {
        (void)sender.next();
        CHECK(sender.in_flight() <= Bytes(1050));
    }
}

TEST_CASE("sessions that are served get equal shares, and leave a share for whoever comes next") {
    Sender sender(limits_of(10'000, 3000));
    for (SessionId session = 1; session <= 2; ++session) {
        sender.permit(session, plenty);
        sender.enqueue(session, transfer("a", 10'000));
    }
    auto const shares = totals(sender.next());
    CHECK(shares.at(1) == 1000);
    CHECK(shares.at(2) == 1000);

    // Both vanish without a word; the third is served all the same.
    sender.permit(3, plenty);
    sender.enqueue(3, transfer("a", 10'000));
    CHECK(totals(sender.next())[3] > 0);
}

TEST_CASE("sessions take turns frame by frame") {
    Sender sender(limits_of(10'000, 100'000));
    for (SessionId session = 1; session <= 3; ++session) {
        sender.permit(session, plenty);
        sender.enqueue(session, transfer("a", 300));
    }
    std::vector<SessionId> order;
    for (auto const& sent : sender.next()) order.push_back(sent.session);
    CHECK(order == std::vector<SessionId>{1, 2, 3, 1, 2, 3, 1, 2, 3});
}

TEST_CASE("a session without credit does not hold up the others that are served") {
    Sender sender(limits_of(10'000, 100'000));
    sender.enqueue(1, transfer("a", 300));
    sender.permit(2, plenty);
    sender.enqueue(2, transfer("a", 300));
    CHECK(totals(sender.next())[2] == 300);
}

TEST_CASE("beyond the transfers that are served, sessions queue in the order of asking") {
    Sender sender(limits_of(10'000, 100'000, 2));
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
    for (auto const& sent : sender.next()) order.push_back(sent.session);
    CHECK(order.size() == 18);
    auto const first_of_4 = std::find(order.begin(), order.end(), SessionId{4});
    CHECK(std::find(order.begin(), order.end(), SessionId{3}) < first_of_4);
}

TEST_CASE("dropping a session releases what it had in flight and gives its place to the next") {
    Sender sender(limits_of(1000, 1000, 1));
    sender.permit(1, plenty);
    sender.permit(2, plenty);
    sender.enqueue(1, transfer("a", 10'000));
    sender.enqueue(2, transfer("a", 10'000));
    CHECK(totals(sender.next())[1] > 0);
    CHECK(sender.position(2) == 1);
    sender.drop(1);
    CHECK(sender.in_flight() == Bytes());
    CHECK(sender.position(2) == 0);
    CHECK(totals(sender.next())[2] > 0);
    sender.drop(1);
    sender.drop(9);
}

TEST_CASE("dropping a session that waits lets the ones behind it move up") {
    Sender sender(limits_of(1000, 1000, 1));
    for (SessionId session = 1; session <= 3; ++session) sender.enqueue(session, transfer("a", 100));
    sender.drop(2);
    CHECK(sender.position(3) == 1);
}

TEST_CASE("an acknowledgement of bytes that were never sent is refused, a repeated one changes nothing") {
    Sender sender(limits_of(1000, 10'000));
    CHECK(sender.acknowledge(1, Bytes()));
    CHECK(!sender.acknowledge(1, Bytes(1)));
    sender.permit(1, plenty);
    sender.enqueue(1, transfer("a", 500));
    (void)sender.next();
    CHECK(!sender.acknowledge(1, Bytes(501)));
    CHECK(sender.acknowledge(1, Bytes(400)));
    CHECK(sender.acknowledge(1, Bytes(400)));
    CHECK(sender.acknowledge(1, Bytes(300)));
    CHECK(sender.in_flight() == Bytes(100));
}

TEST_CASE("a session can ask for a bounded number of objects only") {
    Sender sender(limits_of(1000, 10'000));
    for (std::size_t i = 0; i < limits::objects_per_session; ++i) {
        REQUIRE(sender.enqueue(1, transfer("a", 100)) == Sender::Place::served);
    }
    CHECK(sender.enqueue(1, transfer("a", 100)) == Sender::Place::overfull);
    CHECK(sender.enqueue(2, transfer("a", 100)) == Sender::Place::served);
}
