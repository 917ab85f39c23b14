#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace uploads_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

constexpr UploadLimits small{.window = Bytes(1000), .uploads = 2};

// Uploads with a disk that works at once or, if it is told to, when asked.
struct Desk {
    explicit Desk(UploadLimits limits = small) : offers(index, limits) {}

    FakeIndex index;
    Uploads offers;

    Actions begin(SessionId session, TestRelease const& release) {
        return offers.begin(session, peer_key(session), release.offer, TrustedKeys());
    }
    Actions kept(KeepObject const& keep, Status const& status = {}) {
        if (status) index.add(keep.shape);
        return offers.object_kept({keep.session, keep.shape.object, keep.shape.stored, status});
    }
    // A whole object in one frame, and what follows when it is kept.
    Actions put(SessionId session, ObjectShape const& shape) {
        auto actions = offers.put(session, Put{shape, Bytes()}, bytes_of(shape.stored.count()));
        for (auto const& keep : all<KeepObject>(actions)) append(actions, kept(keep));
        return actions;
    }
    Actions open(SessionId session, TestRelease const& release) {
        return offers.manifest_opened({session, release.manifest_shape.object, release.manifest});
    }
};

TestRelease two_segments() { return make_release("app", "1.0", {{"a", 300}, {"b", 400}}); }

Refusal refusal(Actions const& actions, SessionId session) { return only<Refused>(actions, session).reason; }

bool has(Uploads const& uploads, SessionId session) {
    auto const sessions = uploads.sessions();
    return std::ranges::find(sessions, session) != sessions.end();
}

}  // namespace

TEST_CASE("an offer is asked for its manifest, then for the segments, then for nothing") {
    Desk desk;
    auto const release = two_segments();
    auto actions = desk.begin(1, release);
    CHECK(only<Need>(actions, 1).objects == std::vector{release.manifest_shape.object});
    CHECK(only<Credit>(actions, 1).permitted == Bytes(1000));

    actions = desk.put(1, release.manifest_shape);
    CHECK(only<Credit>(actions, 1).permitted == Bytes(1100));
    REQUIRE(all<OpenManifest>(actions).size() == 1);
    CHECK(all<OpenManifest>(actions)[0].manifest == release.manifest_shape.object);
    CHECK(sent<Need>(actions, 1).empty());
    CHECK(!desk.offers.complete(peer_key(1), release.info));

    actions = desk.open(1, release);
    auto const need = only<Need>(actions, 1);
    CHECK(std::set(need.objects.begin(), need.objects.end()) == std::set{digest_of("a"), digest_of("b")});
    CHECK(need.more == 0);

    actions = desk.put(1, release.segments[0]);
    CHECK(sent<Need>(actions, 1).empty());
    CHECK(only<Credit>(actions, 1).permitted == Bytes(1400));
    actions = desk.put(1, release.segments[1]);
    CHECK(only<Need>(actions, 1).objects.empty());
    CHECK(desk.offers.complete(peer_key(1), release.info));
    CHECK(desk.offers.sessions_for(peer_key(1), release.info) == std::vector<SessionId>{1});
    CHECK(!desk.offers.complete(peer_key(2), release.info));
}

TEST_CASE("what is stored already is not asked for") {
    Desk desk;
    auto const release = two_segments();
    desk.index.add(release.manifest_shape);
    desk.index.add(release.segments[0]);
    auto actions = desk.begin(1, release);
    CHECK(sent<Need>(actions, 1).empty());
    CHECK(all<OpenManifest>(actions).size() == 1);
    CHECK(only<Need>(desk.open(1, release), 1).objects == std::vector{digest_of("b")});

    desk.index.add(release.segments[1]);
    (void)desk.begin(2, release);
    CHECK(only<Need>(desk.open(2, release), 2).objects.empty());
}

TEST_CASE("more objects than a message holds are asked for in several parts") {
    Desk desk({.window = MiB(1), .uploads = 2});
    std::vector<std::pair<std::string, std::uint64_t>> names;
    for (std::size_t i = 0; i < limits::objects_per_message + 3; ++i) names.emplace_back(fmt::format("s{}", i), 10);
    auto const release = make_release("app", "1.0", names);
    (void)desk.begin(1, release);
    (void)desk.put(1, release.manifest_shape);
    auto need = only<Need>(desk.open(1, release), 1);
    CHECK(need.objects.size() == limits::objects_per_message);
    CHECK(need.more == 3);

    std::map<Digest, ObjectShape> shapes;
    for (auto const& shape : release.segments) shapes[shape.object] = shape;
    Actions last;
    for (auto const& object : need.objects) last = desk.put(1, shapes.at(object));
    need = only<Need>(last, 1);
    CHECK(need.objects.size() == 3);
    CHECK(need.more == 0);
}

TEST_CASE("the frames of an object are gathered in order") {
    Desk desk;
    auto const release = two_segments();
    (void)desk.begin(1, release);
    auto const& shape = release.manifest_shape;
    CHECK(desk.offers.put(1, Put{shape, Bytes()}, bytes_of(60)).empty());
    auto const actions = desk.offers.put(1, Put{shape, Bytes(60)}, bytes_of(40));
    REQUIRE(all<KeepObject>(actions).size() == 1);
    CHECK(all<KeepObject>(actions)[0].stored.size() == 100);
    CHECK(all<KeepObject>(actions)[0].shape == shape);
}

TEST_CASE("frames with gaps, beyond the end, or of another object in between are refused") {
    auto const release = two_segments();
    auto const refused = [&](auto misuse) {
        Desk desk;
        (void)desk.begin(1, release);
        auto const actions = misuse(desk);
        CHECK(refusal(actions, 1) == Refusal::invalid);
        CHECK(!has(desk.offers, 1));
    };
    auto const& shape = release.manifest_shape;
    refused([&](Desk& desk) { return desk.offers.put(1, Put{shape, Bytes(10)}, bytes_of(10)); });
    refused([&](Desk& desk) {
        (void)desk.offers.put(1, Put{shape, Bytes()}, bytes_of(10));
        return desk.offers.put(1, Put{shape, Bytes(11)}, bytes_of(10));
    });
    refused([&](Desk& desk) { return desk.offers.put(1, Put{shape, Bytes()}, bytes_of(101)); });
    refused([&](Desk& desk) { return desk.offers.put(1, Put{shape, Bytes()}, {}); });
    refused([&](Desk& desk) {
        (void)desk.offers.put(1, Put{shape, Bytes()}, bytes_of(10));
        auto other = shape;
        other.stored = Bytes(90);
        return desk.offers.put(1, Put{other, Bytes(10)}, bytes_of(10));
    });
}

TEST_CASE("an object that was not asked for, or has other sizes than it should, is refused") {
    auto const release = two_segments();
    auto const refused = [&](ObjectShape const& shape) {
        Desk desk;
        (void)desk.begin(1, release);
        CHECK(refusal(desk.offers.put(1, Put{shape, Bytes()}, bytes_of(10)), 1) == Refusal::invalid);
    };
    refused(raw_shape("unasked", 10));
    refused(release.segments[0]);  // before its manifest is there
    auto wrong_plain = release.manifest_shape;
    wrong_plain.plain = Bytes(99);
    refused(wrong_plain);
    auto nothing_stored = release.manifest_shape;
    nothing_stored.stored = Bytes();
    refused(nothing_stored);
    auto too_much_stored = release.manifest_shape;
    too_much_stored.stored = limits::stored_object + Bytes(1);
    refused(too_much_stored);
}

TEST_CASE("a frame without an offer begins a new dialogue") {
    Desk desk;
    CHECK(refusal(desk.offers.put(1, Put{raw_shape("a", 10), Bytes()}, bytes_of(10)), 1) == Refusal::no_session);
}

TEST_CASE("more bytes than the credit are refused") {
    Desk desk({.window = Bytes(120), .uploads = 1});
    auto const release = two_segments();
    (void)desk.begin(1, release);
    (void)desk.offers.put(1, Put{release.manifest_shape, Bytes()}, bytes_of(90));
    CHECK(desk.offers.put(1, Put{release.manifest_shape, Bytes()}, bytes_of(30)).empty());
    CHECK(refusal(desk.offers.put(1, Put{release.manifest_shape, Bytes(30)}, bytes_of(1)), 1) == Refusal::invalid);

    auto const waits = make_release("app", "2.0", {});
    (void)desk.begin(2, release);
    auto const third = desk.begin(3, waits);
    CHECK(sent<Credit>(third, 3).empty());
    CHECK(refusal(desk.offers.put(3, Put{waits.manifest_shape, Bytes()}, bytes_of(1)), 3) == Refusal::invalid);
}

TEST_CASE("an offer may begin again in the middle of an object, and the lost bytes are given back") {
    Desk desk({.window = Bytes(1000), .uploads = 1});
    auto const release = make_release("app", "1.0", {{"a", 900}});
    (void)desk.begin(1, release);
    (void)desk.put(1, release.manifest_shape);
    (void)desk.open(1, release);
    CHECK(desk.offers.put(1, Put{release.segments[0], Bytes()}, bytes_of(800)).empty());

    CHECK(all<OpenManifest>(desk.begin(1, release)).size() == 1);
    auto const actions = desk.open(1, release);
    CHECK(only<Need>(actions, 1).objects.size() == 1);
    CHECK(only<Credit>(actions, 1).permitted ==
          Bytes(1900));  // a window beyond 100 of the manifest and 800 that were thrown away
    CHECK(only<Need>(desk.put(1, release.segments[0]), 1).objects.empty());
}

TEST_CASE("an object that is asked for twice because it was on its way to the disk is taken and forgotten") {
    Desk desk;
    auto const release = make_release("app", "1.0", {{"a", 300}, {"b", 300}});
    (void)desk.begin(1, release);
    (void)desk.put(1, release.manifest_shape);
    (void)desk.open(1, release);
    auto const on_its_way = desk.offers.put(1, Put{release.segments[0], Bytes()}, bytes_of(300));
    REQUIRE(all<KeepObject>(on_its_way).size() == 1);
    (void)desk.begin(1, release);
    CHECK(only<Need>(desk.open(1, release), 1).objects.size() == 2);
    (void)desk.kept(all<KeepObject>(on_its_way)[0]);

    auto const again = desk.offers.put(1, Put{release.segments[0], Bytes()}, bytes_of(300));
    CHECK(all<KeepObject>(again).empty());
    CHECK(sent<Refused>(again, 1).empty());
    CHECK(only<Credit>(again, 1).permitted == Bytes(1700));
    CHECK(only<Need>(desk.put(1, release.segments[1]), 1).objects.empty());
}

TEST_CASE("an object that cannot be kept ends the offer with the reason") {
    auto const release = two_segments();
    auto const refused_for = [&](Fault fault) {
        Desk desk;
        (void)desk.begin(1, release);
        auto const actions = desk.offers.put(1, Put{release.manifest_shape, Bytes()}, bytes_of(100));
        auto const further = desk.kept(all<KeepObject>(actions).at(0), fail(fault, "so it is"));
        CHECK(only<Refused>(further, 1).text == "so it is");
        CHECK(!has(desk.offers, 1));
        return refusal(further, 1);
    };
    CHECK(refused_for(Fault::no_space) == Refusal::no_space);
    CHECK(refused_for(Fault::damaged) == Refusal::damaged);
}

TEST_CASE("a manifest that nobody trusted has signed ends the offer") {
    Desk desk;
    auto const release = two_segments();
    (void)desk.begin(1, release);
    (void)desk.put(1, release.manifest_shape);
    auto const actions = desk.offers.manifest_opened(
        {1, release.manifest_shape.object, fail(Fault::refused, "signed by nobody we know")});
    CHECK(refusal(actions, 1) == Refusal::bad_signature);
    CHECK(!desk.offers.complete(peer_key(1), release.info));
}

TEST_CASE("a manifest that is not the one that was offered ends the offer") {
    auto const release = two_segments();
    auto const refused = [&](auto change) {
        Desk desk;
        (void)desk.begin(1, release);
        (void)desk.put(1, release.manifest_shape);
        auto other = release;
        change(other.manifest);
        CHECK(refusal(desk.open(1, other), 1) == Refusal::invalid);
    };
    refused([](Manifest& manifest) { manifest.software = software("other"); });
    refused([](Manifest& manifest) { manifest.version = version("9"); });
    refused([](Manifest& manifest) { manifest.architecture = architecture("arm64"); });
    refused([](Manifest& manifest) { manifest.entries.pop_back(); });
    refused([](Manifest& manifest) { manifest.entries[0].size = Bytes(1); });
}

TEST_CASE("sizes that contradict what is stored end the offer") {
    Desk desk;
    auto release = two_segments();
    desk.index.add(release.manifest_shape);
    release.offer.builds[0].manifest_size = Bytes(101);
    (void)desk.begin(1, release);
    CHECK(refusal(desk.open(1, release), 1) == Refusal::invalid);

    auto const other = two_segments();
    desk.index.add(raw_shape("a", 300));
    auto wrong = other;
    wrong.manifest.segments[0].size = Bytes(299);
    (void)desk.begin(2, other);
    CHECK(refusal(desk.open(2, wrong), 2) == Refusal::invalid);
}

TEST_CASE("an offer without builds, with one twice, or with an impossible manifest is refused at once") {
    auto const refused = [](auto change) {
        Desk desk;
        auto release = two_segments();
        change(release.offer.builds);
        CHECK(refusal(desk.begin(1, release), 1) == Refusal::invalid);
        CHECK(!has(desk.offers, 1));
    };
    refused([](auto& builds) { builds.clear(); });
    refused([](auto& builds) { builds.push_back(builds[0]); });
    refused([](auto& builds) {
        builds.push_back(builds[0]);
        builds[1].architecture = architecture("arm64");
    });
    refused([](auto& builds) { builds[0].manifest_size = limits::envelope + Bytes(1); });
    refused([](auto& builds) { builds[0].manifest_size = Bytes(); });
}

TEST_CASE("a release of two architectures needs both manifests and the segments of both") {
    Desk desk;
    auto release = two_segments();
    auto arm = make_release("app", "1.0", {{"a", 300}, {"c", 50}, {"d", 10}});
    arm.manifest.architecture = architecture("arm64");
    auto build = arm.offer.builds[0];
    build.architecture = architecture("arm64");
    release.offer.builds.push_back(build);
    release.info.builds.push_back(build);

    CHECK(only<Need>(desk.begin(1, release), 1).objects.size() == 2);
    (void)desk.put(1, release.manifest_shape);
    CHECK(all<OpenManifest>(desk.put(1, arm.manifest_shape)).size() == 2);
    CHECK(desk.open(1, arm).empty());
    CHECK(only<Need>(desk.open(1, release), 1).objects.size() == 4);
    CHECK(desk.open(1, arm).empty());
}

TEST_CASE("only so many uploads get credit at once, and the next gets it when one leaves") {
    Desk desk;
    auto const release = [](int i) { return make_release("app", fmt::format("{}", i), {{fmt::format("s{}", i), 10}}); };
    CHECK(sent<Credit>(desk.begin(1, release(1)), 1).size() == 1);
    CHECK(sent<Credit>(desk.begin(2, release(2)), 2).size() == 1);
    CHECK(sent<Credit>(desk.begin(3, release(3)), 3).empty());
    CHECK(sent<Credit>(desk.begin(4, release(4)), 4).empty());
    CHECK(sent<Credit>(desk.offers.drop(1), 3).size() == 1);
    CHECK(desk.offers.drop(1).empty());
    CHECK(sent<Credit>(desk.offers.drop(3), 4).size() == 1);
}

TEST_CASE("an upload that is complete gives its place to the next, though its session stays") {
    Desk desk({.window = Bytes(1000), .uploads = 1});
    auto const first = make_release("app", "1", {{"s1", 10}});
    auto const second = make_release("app", "2", {{"s2", 10}});
    (void)desk.begin(1, first);
    CHECK(sent<Credit>(desk.begin(2, second), 2).empty());
    (void)desk.put(1, first.manifest_shape);
    (void)desk.open(1, first);
    auto const last = desk.put(1, first.segments[0]);
    CHECK(only<Need>(last, 1).objects.empty());
    CHECK(only<Credit>(last, 2).permitted == Bytes(1000));
    CHECK(desk.offers.complete(peer_key(1), first.info));
}

TEST_CASE("news about an offer that is gone changes nothing") {
    Desk desk;
    auto const release = two_segments();
    CHECK(desk.offers.object_kept({7, digest_of("a"), Bytes(5), {}}).empty());
    CHECK(desk.offers.manifest_opened({7, digest_of("a"), release.manifest}).empty());
    CHECK(desk.offers.drop(7).empty());
}

}  // namespace uploads_test
