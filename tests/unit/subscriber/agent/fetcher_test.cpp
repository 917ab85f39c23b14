#include "subscriber/agent/fetcher.hpp"

#include <catch2/catch.hpp>

namespace fetcher_test {

using namespace lull;
using namespace lull::subscriber;
using Verdict = Fetcher::Verdict;
using Then = StoreFrame::Then;

namespace {

ReleaseId release(std::string_view software, std::uint64_t seq) {
    return {*SoftwareName::parse(software), Seq{seq}, *VersionName::parse("1.0")};
}

ReleaseId const kiosk = release("kiosk", 1);
ReleaseId const editor = release("editor", 2);

Digest object(std::string_view name) { return sha256(as_view(name)); }

ObjectShape shape(std::string_view name, std::uint64_t size) {
    return {object(name), ObjectCodec::raw, Bytes(size), Bytes(size)};
}

// Checkpoints of 100 bytes, a window of 1000, four objects asked for at a time.
Fetcher fetcher() { return Fetcher(FetchLimits{Bytes(1000), Bytes(100), 4}); }

// Wants one object of this size in a new session, and has asked for it.
Fetcher asking(std::string_view name, std::uint64_t size) {
    auto fetching = fetcher();
    fetching.want(kiosk, object(name), Bytes(size));
    fetching.session_begins();
    REQUIRE(fetching.requests().size() == 1);
    return fetching;
}

Fetcher::Decision arrive(Fetcher& fetching, ObjectShape const& what, std::uint64_t offset, std::uint64_t size) {
    return fetching.data(Data{what, Bytes(offset)}, Bytes(size));
}

std::uint64_t credit(Fetcher& fetching) {
    auto const due = fetching.credit_due();
    return due ? due->permitted.count() : 0;
}

}  // namespace

TEST_CASE("objects are asked for once, in the order of wanting, one FETCH a release") {
    auto fetching = fetcher();
    fetching.want(kiosk, object("a"), Bytes(10));
    fetching.want(editor, object("b"), Bytes(20));
    fetching.want(editor, object("c"), Bytes(30));
    fetching.session_begins();
    auto const messages = fetching.requests();
    REQUIRE(messages.size() == 2);
    CHECK(messages[0].software == kiosk.software);
    CHECK(messages[0].seq == Seq{1});
    REQUIRE(messages[1].items.size() == 2);
    CHECK(messages[1].items[0].object == object("b"));
    CHECK(messages[1].items[1].object == object("c"));
    CHECK(messages[1].items[1].offset == Bytes(0));
    CHECK(fetching.requests().empty());
    CHECK(fetching.waiting_for_data());
}

TEST_CASE("no more is asked for at a time than the limit, and more when half of it has come") {
    auto fetching = fetcher();
    for (char name = 'a'; name < 'k'; ++name) fetching.want(kiosk, object({&name, 1}), Bytes(5));
    fetching.session_begins();
    CHECK(fetching.requests().at(0).items.size() == 4);
    CHECK(arrive(fetching, shape("a", 5), 0, 5).then == Then::finish);
    CHECK(fetching.requests().empty());
    CHECK(arrive(fetching, shape("b", 5), 0, 5).then == Then::finish);
    auto const more = fetching.requests();
    REQUIRE(more.size() == 1);
    REQUIRE(more[0].items.size() == 2);
    CHECK(more[0].items[0].object == object("e"));
}

TEST_CASE("an object is synced at each checkpoint and checked after its last frame") {
    auto fetching = asking("a", 250);
    auto const a = shape("a", 250);
    CHECK(arrive(fetching, a, 0, 60).then == Then::nothing);
    CHECK(arrive(fetching, a, 60, 60).then == Then::sync);      // 120: the first checkpoint
    CHECK(arrive(fetching, a, 120, 60).then == Then::nothing);  // 60 since then
    CHECK(arrive(fetching, a, 180, 40).then == Then::sync);     // 100 since then
    auto const last = arrive(fetching, a, 220, 30);
    CHECK(last.verdict == Verdict::store);
    CHECK(last.then == Then::finish);
    CHECK_FALSE(fetching.waiting_for_data());
    CHECK(fetching.anything_missing());
    auto const record = fetching.finished(a.object);
    REQUIRE(record);
    CHECK(*record == ObjectRecord{a, Bytes(250), true});
    CHECK_FALSE(fetching.anything_missing());
    CHECK(fetching.has_all(kiosk.software));
    CHECK(fetching.shapes(kiosk.software).at(a.object) == a);
}

TEST_CASE("what the journal knows is not asked for again") {
    auto fetching = fetcher();
    fetching.load(
        {{object("a"), {shape("a", 500), Bytes(300), false}}, {object("b"), {shape("b", 50), Bytes(50), true}}});
    fetching.want(kiosk, object("a"), Bytes(500));
    fetching.want(kiosk, object("b"), Bytes(50));
    fetching.session_begins();
    auto const messages = fetching.requests();
    REQUIRE(messages.size() == 1);
    REQUIRE(messages[0].items.size() == 1);
    CHECK(messages[0].items[0].object == object("a"));
    CHECK(messages[0].items[0].offset == Bytes(300));
    CHECK(arrive(fetching, shape("a", 500), 300, 99).then == Then::nothing);  // checkpoints count from what is durable
    CHECK(arrive(fetching, shape("a", 500), 399, 1).then == Then::sync);
    CHECK(fetching.arrived_for(kiosk.software) == Bytes(450));
}

TEST_CASE("a new session goes on where the bytes of the last one ended") {
    auto fetching = asking("a", 500);
    CHECK(arrive(fetching, shape("a", 500), 0, 80).verdict == Verdict::store);
    fetching.session_begins();
    CHECK_FALSE(fetching.waiting_for_data());
    CHECK(fetching.ack().received == Bytes(0));
    CHECK(fetching.requests().at(0).items.at(0).offset == Bytes(80));
    CHECK(arrive(fetching, shape("a", 500), 80, 20).verdict == Verdict::store);
    CHECK(fetching.ack().received == Bytes(20));
}

TEST_CASE("an object that is all here and still at the disk is not asked for again") {
    auto fetching = asking("a", 50);
    CHECK(arrive(fetching, shape("a", 50), 0, 50).then == Then::finish);
    fetching.session_begins();
    CHECK(fetching.requests().empty());
}

TEST_CASE("repeated, late and unwanted frames are acknowledged and ignored") {
    auto fetching = asking("a", 500);
    CHECK(arrive(fetching, shape("a", 500), 0, 60).verdict == Verdict::store);
    CHECK(arrive(fetching, shape("a", 500), 0, 60).verdict == Verdict::ignore);
    CHECK(arrive(fetching, shape("b", 500), 0, 60).verdict == Verdict::ignore);
    CHECK(fetching.ack().received == Bytes(180));
    CHECK(arrive(fetching, shape("a", 500), 60, 60).verdict == Verdict::store);
    fetching.unwant(kiosk.software);
    CHECK(arrive(fetching, shape("a", 500), 120, 60).verdict == Verdict::ignore);
}

TEST_CASE("a peer that leaves bytes out or breaks the sizes is broken") {
    auto fetching = asking("a", 500);
    CHECK(arrive(fetching, shape("a", 500), 10, 60).verdict == Verdict::broken);  // a gap
    CHECK(arrive(fetching, shape("a", 500), 0, 0).verdict == Verdict::broken);    // nothing in it
    CHECK(arrive(fetching, shape("a", 500), 0, 501).verdict == Verdict::broken);  // more than the object
    CHECK(arrive(fetching, shape("a", 500), 450, 51).verdict == Verdict::broken);
    CHECK(arrive(fetching, shape("a", 499), 0, 60).verdict == Verdict::broken);  // not the manifest's size
    CHECK(arrive(fetching, {object("a"), ObjectCodec::zstd, Bytes(501), Bytes(500)}, 0, 60).verdict == Verdict::broken);
    CHECK(arrive(fetching, {object("a"), ObjectCodec::zstd, Bytes(0), Bytes(500)}, 0, 60).verdict == Verdict::broken);
    CHECK(arrive(fetching, shape("a", 500), 0, 60).verdict == Verdict::store);
}

TEST_CASE("an object that the broker has stored anew begins anew") {
    auto fetching = fetcher();
    fetching.load({{object("a"), {shape("a", 500), Bytes(300), false}}});
    fetching.want(kiosk, object("a"), Bytes(500));
    fetching.session_begins();
    CHECK(fetching.requests().at(0).items.at(0).offset == Bytes(300));
    ObjectShape const anew{object("a"), ObjectCodec::zstd, Bytes(400), Bytes(500)};
    CHECK(arrive(fetching, anew, 300, 50).verdict == Verdict::broken);  // our 300 bytes are of the other shape
    fetching.session_begins();
    CHECK(fetching.requests().at(0).items.at(0).offset == Bytes(0));
    CHECK(arrive(fetching, anew, 0, 400).then == Then::finish);
    CHECK(fetching.finished(object("a")) == ObjectRecord{anew, Bytes(400), true});
}

TEST_CASE("credit is what has come and what the window still takes") {
    auto fetching = asking("a", 5000);
    auto const a = shape("a", 5000);
    CHECK(credit(fetching) == 1000);
    CHECK(credit(fetching) == 0);  // said already
    std::uint64_t at = 0;
    for (; at < 1000; at += 100) CHECK(arrive(fetching, a, at, 100).then == Then::sync);
    CHECK(credit(fetching) == 0);  // 1000 bytes have come, none is durable
    CHECK(fetching.synced(a.object, Bytes(100)) == ObjectRecord{a, Bytes(100), false});
    CHECK(credit(fetching) == 0);  // less than an eighth of the window: not worth a message
    CHECK(fetching.synced(a.object, Bytes(200)));
    CHECK(credit(fetching) == 1200);
    CHECK(fetching.synced(a.object, Bytes(1000)));
    CHECK(credit(fetching) == 2000);
}

TEST_CASE("bytes that are still at the disk count against the credit of the next session") {
    auto fetching = asking("a", 5000);
    CHECK(credit(fetching) == 1000);
    for (std::uint64_t at = 0; at < 600; at += 100)
        CHECK(arrive(fetching, shape("a", 5000), at, 100).verdict == Verdict::store);
    fetching.session_begins();
    CHECK(credit(fetching) == 400);
    CHECK(fetching.synced(object("a"), Bytes(600)));
    CHECK(credit(fetching) == 1000);
}

TEST_CASE("releases that are given up in the middle of an object do not eat up the credit") {
    auto fetching = fetcher();
    fetching.session_begins();
    for (int i = 0; i < 50; ++i) {
        auto const name = std::to_string(i);
        fetching.want(kiosk, object(name), Bytes(500));
        REQUIRE(fetching.requests().size() == 1);
        CHECK(arrive(fetching, shape(name, 500), 0, 99).then == Then::nothing);  // no checkpoint: nobody will sync it
        fetching.unwant(kiosk.software);
    }
    fetching.session_begins();
    CHECK(credit(fetching) == 1000);
}

TEST_CASE("what was durable of an object, or is about to be, survives that nobody wants it for a while") {
    auto fetching = asking("a", 500);
    auto const a = shape("a", 500);
    CHECK(arrive(fetching, a, 0, 120).then == Then::sync);
    CHECK(arrive(fetching, a, 120, 50).then == Then::nothing);
    fetching.unwant(kiosk.software);
    CHECK(fetching.garbage() == std::vector{a.object});
    CHECK(fetching.synced(a.object, Bytes(120)));
    fetching.want(kiosk, a.object, Bytes(500));
    CHECK(fetching.garbage().empty());
    CHECK(fetching.requests().at(0).items.at(0).offset == Bytes(120));
    CHECK(arrive(fetching, a, 120, 380).then == Then::finish);
    fetching.unwant(kiosk.software);  // the disk is still at it
    CHECK(fetching.finished(a.object) == ObjectRecord{a, Bytes(500), true});
    fetching.want(kiosk, a.object, Bytes(500));
    CHECK(fetching.has_all(kiosk.software));
    fetching.session_begins();
    CHECK(credit(fetching) == 1000);
}

TEST_CASE("an object that two releases want is fetched once and serves both") {
    auto fetching = fetcher();
    fetching.want(kiosk, object("a"), Bytes(50));
    fetching.want(editor, object("a"), Bytes(50));
    fetching.session_begins();
    auto const messages = fetching.requests();
    REQUIRE(messages.size() == 1);
    CHECK(messages[0].items.size() == 1);
    CHECK(fetching.wanted_by(object("a")) == std::vector<Wanter>{editor.software, kiosk.software});
    fetching.unwant(kiosk.software);
    CHECK(fetching.wants_for(editor.software));
    CHECK(fetching.requests().size() == 1);  // the one who asked wants it no more
    CHECK(arrive(fetching, shape("a", 50), 0, 50).then == Then::finish);
    CHECK(fetching.finished(object("a")));
    CHECK(fetching.has_all(editor.software));
    CHECK(fetching.garbage().empty());
}

TEST_CASE("contents that a release holds twice are one object, and all is there when it has come") {
    auto fetching = fetcher();
    for (auto const* name : {"a", "a", "b"}) fetching.want(kiosk, object(name), Bytes(50));
    fetching.session_begins();
    CHECK(fetching.requests().at(0).items.size() == 2);
    CHECK(fetching.wanted_by(object("a")) == std::vector<Wanter>{kiosk.software});
    for (auto const* name : {"a", "b"}) {
        CHECK_FALSE(fetching.has_all(kiosk.software));
        arrive(fetching, shape(name, 50), 0, 50);
        CHECK(fetching.finished(object(name)));
    }
    CHECK(fetching.has_all(kiosk.software));
    CHECK_FALSE(fetching.anything_missing());
    fetching.forget(object("a"));
    CHECK_FALSE(fetching.has_all(kiosk.software));
    fetching.unwant(kiosk.software);
    CHECK_FALSE(fetching.anything_missing());
    CHECK(fetching.has_all(kiosk.software));
}

TEST_CASE("what the journal knows to be complete counts for what is wanted already") {
    auto fetching = asking("a", 50);
    fetching.load({{object("a"), ObjectRecord{shape("a", 50), Bytes(50), true}}});
    CHECK(fetching.has_all(kiosk.software));
    CHECK_FALSE(fetching.anything_missing());
}

TEST_CASE("a damaged object is forgotten and asked for from its first byte") {
    auto fetching = asking("a", 50);
    CHECK(credit(fetching) == 1000);
    CHECK(arrive(fetching, shape("a", 50), 0, 50).then == Then::finish);
    fetching.forget(object("a"));
    CHECK_FALSE(fetching.knows(object("a")));
    CHECK_FALSE(fetching.finished(object("a")));
    CHECK(fetching.anything_missing());
    CHECK(fetching.requests().at(0).items.at(0).offset == Bytes(0));
    fetching.session_begins();
    CHECK(credit(fetching) == 1000);
}

TEST_CASE("what the disk says about objects that are not expected changes nothing") {
    auto fetching = asking("a", 500);
    CHECK_FALSE(fetching.synced(object("b"), Bytes(10)));
    CHECK_FALSE(fetching.finished(object("b")));
    CHECK(arrive(fetching, shape("a", 500), 0, 120).then == Then::sync);
    CHECK_FALSE(fetching.synced(object("a"), Bytes(121)));
    CHECK_FALSE(fetching.finished(object("a")));
    CHECK(fetching.synced(object("a"), Bytes(120)));
    CHECK_FALSE(fetching.synced(object("a"), Bytes(120)));
}

TEST_CASE("an object of which all is durable counts only when it is checked") {
    // A record "all durable, not complete" would neither be asked for nor checked after a crash.
    auto fetching = asking("a", 300);
    CHECK(arrive(fetching, shape("a", 300), 0, 150).then == Then::sync);
    CHECK(arrive(fetching, shape("a", 300), 150, 150).then == Then::finish);
    CHECK_FALSE(fetching.synced(object("a"), Bytes(300)));
    CHECK(fetching.synced(object("a"), Bytes(150)));
    CHECK(fetching.finished(object("a")));
}

}  // namespace fetcher_test
