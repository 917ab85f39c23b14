#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace release_log_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

UpdateInfo info_of(std::string_view name, std::string_view version_text) {
    return make_release(name, version_text, {}).info;
}

Envelope envelope_of(UpdateInfo const& info) { return {encode(info), {Signature{}}}; }

LogEntry add(ReleaseLog& release_log, std::string_view name, std::string_view version_text) {
    auto const info = info_of(name, version_text);
    auto const entry = release_log.reserve(envelope_of(info), info, WallTime{9});
    release_log.confirm();
    return entry;
}

}  // namespace

TEST_CASE("a reserved entry is shown to nobody until it is confirmed") {
    ReleaseLog release_log(LogIdentity{Epoch{7}});
    auto const info = info_of("app", "1");
    auto const entry = release_log.reserve(envelope_of(info), info, WallTime{9});
    CHECK(entry.seq == Seq{1});
    CHECK(entry.prev == Seq{0});
    CHECK(release_log.reserved());
    CHECK(release_log.head() == Seq{0});
    CHECK(release_log.find(info.software, info.version) == nullptr);
    CHECK(release_log.page_after(Seq{}, 10, MiB(1)).empty());

    release_log.confirm();
    CHECK(!release_log.reserved());
    CHECK(release_log.head() == Seq{1});
    CHECK(release_log.find(info.software, info.version)->entry == entry);
}

TEST_CASE("an abandoned entry leaves its number to the next one") {
    ReleaseLog release_log(LogIdentity{Epoch{7}});
    auto const info = info_of("app", "1");
    (void)release_log.reserve(envelope_of(info), info, WallTime{9});
    release_log.abandon();
    CHECK(add(release_log, "app", "2").seq == Seq{1});
    CHECK(release_log.find(software("app"), version("1")) == nullptr);
}

TEST_CASE("the newest release of a software is the one that entered the log last") {
    ReleaseLog release_log(LogIdentity{Epoch{7}});
    add(release_log, "app", "2.0");
    add(release_log, "other", "1.0");
    add(release_log, "app", "1.9");
    CHECK(release_log.newest(software("app"))->info.version == version("1.9"));
    CHECK(release_log.at(Seq{2})->info.software == software("other"));
    CHECK(release_log.at(Seq{0}) == nullptr);
    CHECK(release_log.at(Seq{4}) == nullptr);
    CHECK(release_log.newest(software("nothing")) == nullptr);
    CHECK(release_log.software().size() == 2);
}

TEST_CASE("the log is read in pages that end at a count, at a size, and at its head") {
    ReleaseLog release_log(LogIdentity{Epoch{7}});
    for (int i = 0; i < 10; ++i) add(release_log, "app", fmt::format("{}", i));
    CHECK(release_log.page_after(Seq{3}, 4, MiB(1)).size() == 4);
    CHECK(release_log.page_after(Seq{3}, 4, MiB(1)).front().seq == Seq{4});
    CHECK(release_log.page_after(Seq{8}, 4, MiB(1)).size() == 2);
    CHECK(release_log.page_after(Seq{10}, 4, MiB(1)).empty());
    CHECK(release_log.page_after(Seq{99}, 4, MiB(1)).empty());

    Bytes const two(2 * release_log.at(Seq{1})->entry.update.payload.size());
    CHECK(release_log.page_after(Seq{0}, 10, two).size() == 2);
    CHECK(release_log.page_after(Seq{0}, 10, Bytes(1)).size() == 1);
}

TEST_CASE("a catalogue that is loaded from its table is the one that wrote it") {
    ReleaseLog first(LogIdentity{Epoch{7}});
    ReleaseLog second(LogIdentity{Epoch{7}});
    for (auto const* text : {"1", "2", "3"}) {
        auto const change = ReleaseLog::change(add(first, "app", text));
        REQUIRE(second.load(change.key, *change.value));
    }
    CHECK(second.head() == Seq{3});
    CHECK(second.newest(software("app"))->info.version == version("3"));
    CHECK(second.log()[1].entry == first.log()[1].entry);
}

TEST_CASE("a log from which superseded releases were removed is loaded with its gaps") {
    ReleaseLog source(LogIdentity{Epoch{7}});
    std::vector<store::Change> changes;
    for (auto const* text : {"1", "2", "3", "4"}) changes.push_back(ReleaseLog::change(add(source, "app", text)));
    source.remove({Seq{1}, Seq{3}});
    CHECK(source.identity().removed == Seq{3});
    CHECK(source.at(Seq{3}) == nullptr);
    CHECK(source.find(software("app"), version("4"))->entry.seq == Seq{4});
    CHECK(source.page_after(Seq{1}, 9, MiB(1)).size() == 2);

    ReleaseLog loaded(source.identity());
    REQUIRE(loaded.load(changes[1].key, *changes[1].value));
    REQUIRE(loaded.load(changes[3].key, *changes[3].value));
    CHECK(loaded.head() == Seq{4});
    ReleaseLog knows_nothing(LogIdentity{Epoch{7}});
    CHECK_FALSE(knows_nothing.load(changes[1].key, *changes[1].value));
}

TEST_CASE("a log that goes on under another identity leaves out the numbers that may be lost") {
    LogIdentity const old{Epoch{7}, Seq{}, Seq{2}, true};
    auto const fresh = renewed(old, Seq{5}, Epoch{8}, WallTime{9'000'000});
    CHECK(fresh == LogIdentity{Epoch{8}, Seq{1'000'000}, Seq{2}, false});
    CHECK(renewed(fresh, Seq{1'000'003}, Epoch{9}, WallTime{}).used == Seq{2'000'000});
    // The same copy, restored twice: the numbers of the first time stay its own.
    CHECK(renewed(old, Seq{5}, Epoch{9}, WallTime{1'795'000'000'000'000}).used == Seq{1'795'000'000});

    ReleaseLog release_log(old);
    release_log.adopt(fresh);
    CHECK(add(release_log, "app", "1").seq == Seq{1'000'001});
}

TEST_CASE("a log with a gap, a changed key, or a damaged entry is refused") {
    ReleaseLog source(LogIdentity{Epoch{7}});
    auto const one = ReleaseLog::change(add(source, "app", "1"));
    auto const two = ReleaseLog::change(add(source, "app", "2"));

    ReleaseLog gap(LogIdentity{Epoch{7}});
    auto const missing = gap.load(two.key, *two.value);
    REQUIRE(!missing);
    CHECK(missing.error().fault == Fault::damaged);
    CHECK(missing.error().message.find("'log'") != std::string::npos);

    ReleaseLog wrong_key(LogIdentity{Epoch{7}});
    CHECK(!wrong_key.load(two.key, *one.value));
    CHECK(!wrong_key.load(View(one.key).first(7), *one.value));

    auto damaged = *one.value;
    damaged[0] = std::byte{0xc1};
    ReleaseLog bad_value(LogIdentity{Epoch{7}});
    CHECK(!bad_value.load(one.key, damaged));
    CHECK(bad_value.head() == Seq{0});
}

}  // namespace release_log_test
