#include "store/environment.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <limits>
#include <random>
#include <thread>

#include "changes.hpp"
#include "child.hpp"
#include "failing_disk.hpp"
#include "tests/support/temporary_directory.hpp"

namespace environment_test {

using namespace lull;
using namespace lull::store;
using namespace lull::store::test;
using Catch::Matchers::Contains;
using lull::test::TemporaryDirectory;

namespace {

constexpr std::size_t page = 4096;

EnvironmentOptions options_at(fs::path const& directory) {
    EnvironmentOptions options;
    options.directory = directory;
    options.tables = {"numbers", "words"};
    return options;
}

EnvironmentOptions to_look_on(fs::path const& directory) {
    auto options = options_at(directory);
    options.read_only = true;
    return options;
}

Environment opened(EnvironmentOptions options) {
    auto environment = Environment::open(std::move(options));
    if (!environment) FAIL(environment.error().message);
    return std::move(*environment);
}

std::vector<std::string> keys_from(Environment const& environment, std::string_view table, std::string_view from) {
    std::vector<std::string> keys;
    auto const status = environment.scan(table, as_view(from), [&](View key, View) {
        keys.emplace_back(as_text(key));
        return true;
    });
    REQUIRE(status);
    return keys;
}

// A database with enough entries that its tree has several levels.
void fill(fs::path const& directory) {
    auto environment = opened(options_at(directory));
    Batch batch;
    for (std::uint64_t i = 0; i < 5000; ++i) batch.push_back({"numbers", key_of(i), Buffer(100, std::byte{7})});
    batch.push_back(put("words", "a", "apple"));
    REQUIRE(environment.apply(batch));
}

Error error_of_opening(fs::path const& directory) {
    auto const environment = Environment::open(options_at(directory));
    REQUIRE_FALSE(environment);
    return environment.error();
}

}  // namespace

TEST_CASE("what was applied is read back, also after the database was closed") {
    TemporaryDirectory directory;
    {
        auto environment = opened(options_at(directory / "db"));
        REQUIRE(environment.apply(Batch{put("words", "a", "apple"), put("words", "b", ""), put("numbers", "a", "1")}));
        CHECK(text_at(environment, "words", "a") == "apple");
        CHECK(text_at(environment, "words", "b").empty());
        CHECK(text_at(environment, "words", "c") == "(none)");
        CHECK(text_at(environment, "numbers", "a") == "1");
    }
    auto environment = opened(options_at(directory / "db"));
    CHECK(text_at(environment, "words", "a") == "apple");
    REQUIRE(environment.apply(Batch{erase("words", "a"), erase("words", "never there"), put("words", "b", "2")}));
    CHECK(text_at(environment, "words", "a") == "(none)");
    CHECK(text_at(environment, "words", "b") == "2");
}

TEST_CASE("the changes of a batch happen in their order") {
    TemporaryDirectory directory;
    auto environment = opened(options_at(directory.path()));
    Batch const first{put("words", "a", "1"), erase("words", "a"), put("words", "a", "2")};
    Batch const second{put("words", "a", "3"), put("words", "b", "1"), erase("words", "b")};
    REQUIRE(environment.apply(std::vector<Batch const*>{&first, &second}));
    CHECK(text_at(environment, "words", "a") == "3");
    CHECK(text_at(environment, "words", "b") == "(none)");
}

TEST_CASE("the directory of a database and its files are for their owner only") {
    TemporaryDirectory directory;
    auto const environment = opened(options_at(directory / "db"));
    CHECK(require_private(directory / "db"));
    CHECK(require_private(directory / "db/data.mdb"));
    CHECK(require_private(directory / "db/owner.lock"));
}

TEST_CASE("programs that are started do not inherit the database") {
    TemporaryDirectory directory;
    auto const environment = opened(options_at(directory.path()));
    int ours = 0;
    for (auto const& entry : fs::directory_iterator("/proc/self/fd")) {
        std::error_code gone;  // the descriptor of this very listing
        if (fs::read_symlink(entry, gone).parent_path() != directory.path()) continue;
        ++ours;
        INFO(fs::read_symlink(entry, gone));
        CHECK((fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC) != 0);
    }
    CHECK(ours >= 3);
}

TEST_CASE("a scan starts at the key or after it, goes in order and ends when it is told to") {
    TemporaryDirectory directory;
    auto environment = opened(options_at(directory.path()));
    REQUIRE(environment.apply(Batch{put("words", "d", "4"), put("words", "a", "1"), put("words", "c", "3")}));
    CHECK(keys_from(environment, "words", "") == std::vector<std::string>{"a", "c", "d"});
    CHECK(keys_from(environment, "words", "b") == std::vector<std::string>{"c", "d"});
    CHECK(keys_from(environment, "words", "c") == std::vector<std::string>{"c", "d"});
    CHECK(keys_from(environment, "words", "e").empty());
    CHECK(keys_from(environment, "numbers", "").empty());
    int visited = 0;
    REQUIRE(environment.scan("words", {}, [&](View, View value) {
        CHECK(as_text(value) == "1");
        return ++visited < 1;
    }));
    CHECK(visited == 1);
}

TEST_CASE("numbers as keys sort as numbers") {
    for (std::uint64_t const number : {std::uint64_t{0}, std::uint64_t{255}, std::uint64_t{256}, std::uint64_t{1} << 40,
                                       std::numeric_limits<std::uint64_t>::max()}) {
        CHECK(number_of(key_of(number)).value() == number);
    }
    CHECK(key_of(255) < key_of(256));
    CHECK(to_hex(key_of(0x0102)) == "0000000000000102");
    CHECK_FALSE(number_of(as_view("1234567")));
}

TEST_CASE("a key that is too long or empty is refused before anything is written") {
    TemporaryDirectory directory;
    auto environment = opened(options_at(directory.path()));
    CHECK(environment.apply(Batch{put("words", std::string(511, 'k'), "fits")}));
    auto const status = environment.apply(Batch{put("words", "a", "1"), put("words", std::string(512, 'k'), "2")});
    REQUIRE_FALSE(status);
    CHECK(status.error().fault == Fault::usage);
    CHECK_THAT(status.error().message, Contains("512 bytes"));
    CHECK_FALSE(environment.apply(Batch{put("words", "", "2")}));
    CHECK(text_at(environment, "words", "a") == "(none)");
    CHECK(text_at(environment, "words", std::string(512, 'k')) == "(none)");
}

TEST_CASE("a database that outgrows its map is enlarged, and the batch is written once") {
    TemporaryDirectory directory;
    auto options = options_at(directory.path());
    options.first_map = KiB(64);
    std::string const value(1000, 'v');
    {
        auto environment = opened(options);
        Batch batch;
        for (std::uint64_t i = 0; i < 3000; ++i) batch.push_back({"numbers", key_of(i), to_buffer(as_view(value))});
        REQUIRE(environment.apply(batch));
    }
    auto const environment = opened(options);
    CHECK(keys_from(environment, "numbers", "").size() == 3000);
}

TEST_CASE("beyond the largest map there is no space, and what was there stays") {
    TemporaryDirectory directory;
    auto options = options_at(directory.path());
    options.first_map = KiB(64);
    options.largest_map = KiB(256);
    auto environment = opened(options);
    REQUIRE(environment.apply(Batch{put("words", "a", "apple")}));
    auto const status = environment.apply(
        Batch{put("words", "a", "other"), put("words", "big", std::string(1 << 20, 'b'))});
    REQUIRE_FALSE(status);
    CHECK(status.error().fault == Fault::no_space);
    CHECK_THAT(status.error().message, Contains("largest size of 256 KiB"));
    CHECK(text_at(environment, "words", "a") == "apple");
    CHECK(text_at(environment, "words", "big") == "(none)");
    CHECK(environment.apply(Batch{put("words", "a", "still works")}));
}

TEST_CASE("readers beside a writer see whole batches while the map grows") {
    TemporaryDirectory directory;
    auto options = options_at(directory.path());
    options.first_map = KiB(64);
    auto environment = opened(options);
    constexpr int rounds = 200;
    std::atomic<bool> done = false;
    std::thread writer([&] {
        for (int i = 1; i <= rounds; ++i) {
            auto const number = std::to_string(i);
            Batch batch{put("words", "newest", number), put("words", "filler" + number, std::string(20'000, 'f'))};
            if (!environment.apply(batch)) std::abort();
        }
        done = true;
    });
    bool torn = false;
    while (!done) {
        // Most of the time is spent inside the transaction, so that the map cannot be replaced unnoticed.
        int fillers = 0;
        std::string newest = "0";
        auto const status = environment.scan("words", {}, [&](View key, View value) {
            if (as_text(key) == "newest") newest = as_text(value);
            if (as_text(key) != "newest") fillers += std::ranges::count(as_text(value), 'f') == 20'000 ? 1 : 0;
            return true;
        });
        torn = torn || !status || std::to_string(fillers) != newest;
    }
    writer.join();
    CHECK_FALSE(torn);
    CHECK(text_at(environment, "words", "newest") == std::to_string(rounds));
}

TEST_CASE("a second writer is refused and told who is the first") {
    TemporaryDirectory directory;
    auto const environment = opened(options_at(directory.path()));
    auto const error = error_of_opening(directory.path());
    CHECK(error.fault == Fault::refused);
    CHECK_THAT(error.message, Contains("process " + std::to_string(getpid())) && Contains("unit_store"));
}

TEST_CASE("another process looks on while the owner writes, and nobody has to be there") {
    TemporaryDirectory directory;
    auto const look = [&](std::string const& expected) {
        return in_child([&] {
            auto environment = Environment::open(to_look_on(directory.path()));
            if (!environment) return 1;
            if (environment->apply(Batch{put("words", "a", "intruder")})) return 2;
            return text_at(*environment, "words", "a") == expected ? 0 : 3;
        });
    };
    {
        auto environment = opened(options_at(directory.path()));
        REQUIRE(environment.apply(Batch{put("words", "a", "apple")}));
        CHECK(look("apple") == 0);
        REQUIRE(environment.apply(Batch{put("words", "a", "pear")}));
        CHECK(look("pear") == 0);
    }
    CHECK(look("pear") == 0);
    CHECK(look("something else") == 3);  // the check can fail
}

TEST_CASE("who looks on follows when the owner enlarges the map") {
    TemporaryDirectory directory;
    auto options = options_at(directory.path());
    options.first_map = KiB(64);
    { REQUIRE(opened(options).apply(Batch{put("words", "a", "0")})); }
    auto const observer = opened(to_look_on(directory.path()));
    auto const status = in_child([&] {
        auto owner = Environment::open(options);
        if (!owner) return 1;
        return owner->apply(Batch{put("words", "a", "1"), put("words", "big", std::string(1 << 20, 'b'))}) ? 0 : 2;
    });
    REQUIRE(status == 0);
    CHECK(text_at(observer, "words", "a") == "1");
    CHECK(text_at(observer, "words", "big").size() == 1 << 20);
}

TEST_CASE("a process that died while it read no longer keeps old pages once stale readers are dropped") {
    TemporaryDirectory directory;
    auto options = options_at(directory.path());
    options.first_map = KiB(512);
    options.largest_map = KiB(512);
    auto environment = opened(options);
    REQUIRE(environment.apply(Batch{put("words", "a", "apple")}));
    auto const status = in_child([&] {
        auto const observer = Environment::open(to_look_on(directory.path()));
        if (!observer) return 1;
        auto const scanned = observer->scan("words", {}, [](View, View) { return raise(SIGKILL) == 0; });
        return scanned ? 2 : 3;
    });
    REQUIRE(status == 128 + SIGKILL);
    auto const overwrite_often = [&] {
        for (int i = 0; i < 50; ++i) {
            if (!environment.apply(Batch{put("words", "a", std::string(20'000, 'a'))})) return false;
        }
        return true;
    };
    CHECK_FALSE(overwrite_often());
    environment.drop_stale_readers();
    CHECK(overwrite_often());
}

TEST_CASE("looking on where there is no database says so and makes none") {
    TemporaryDirectory directory;
    auto const environment = Environment::open(to_look_on(directory / "db"));
    REQUIRE_FALSE(environment);
    CHECK(environment.error().fault == Fault::not_found);
    CHECK_FALSE(fs::exists(directory / "db"));
}

TEST_CASE("a table that an older program did not make is empty for who looks on, and made by the owner") {
    TemporaryDirectory directory;
    fill(directory.path());
    auto wider = to_look_on(directory.path());
    wider.tables.emplace_back("new");
    { CHECK(text_at(opened(wider), "new", "a") == "(none)"); }
    wider.read_only = false;
    auto environment = opened(wider);
    CHECK(environment.apply(Batch{put("new", "a", "1")}));
    CHECK(text_at(environment, "new", "a") == "1");
    CHECK(text_at(environment, "words", "a") == "apple");
}

TEST_CASE("a file that is no database is called damaged, with what to do") {
    TemporaryDirectory directory;
    REQUIRE(write_file_durably(directory / "data.mdb", as_view(std::string(20'000, 'x')), 0600));
    auto const error = error_of_opening(directory.path());
    CHECK(error.fault == Fault::damaged);
    CHECK_THAT(error.message,
               Contains(directory.path().string()) && Contains("restore it from a backup or move it away"));
}

TEST_CASE("a database that was cut at any length is called damaged, does not crash the process and stays as it is") {
    TemporaryDirectory directory;
    fill(directory / "whole");
    auto const fault_at = [](EnvironmentOptions const& options) {
        // A process of its own, because reading behind the end of a file ends one.
        return in_child([&] {
            auto const environment = Environment::open(options);
            return environment ? 0 : environment.error().fault == Fault::damaged ? 70 : 1;
        });
    };
    for (std::size_t const length : {std::size_t{0}, std::size_t{1}, std::size_t{100}, page, page + 100, 2 * page,
                                     3 * page, 20 * page, 100 * page}) {
        auto const copy = directory / ("cut-" + std::to_string(length));
        fs::create_directory(copy);
        fs::copy_file(directory / "whole/data.mdb", copy / "data.mdb");
        fs::resize_file(copy / "data.mdb", length);
        INFO(length);
        CHECK(fault_at(to_look_on(copy)) == 70);
        CHECK(fault_at(options_at(copy)) == 70);
        CHECK(fs::file_size(copy / "data.mdb") == length);
    }
    CHECK(fault_at(options_at(directory / "whole")) == 0);
}

TEST_CASE(
    "a page that is lost while the database is open ends in an error or in an exit with a message, not in a signal") {
    TemporaryDirectory directory;
    fill(directory.path());
    auto const file = open_file(directory / "data.mdb", O_RDWR);
    REQUIRE(file);
    int noticed = 0;
    int exits = 0;
    for (std::size_t lost = 2; lost < 200; ++lost) {
        Buffer kept(page);
        REQUIRE(read_exactly(file->get(), lost * page, kept, "data.mdb"));
        auto const status = in_child([&] {
            if (freopen((directory / "said").c_str(), "w", stderr) == nullptr) return 3;
            auto const environment = Environment::open(options_at(directory.path()));
            if (!environment || !write_exactly(file->get(), lost * page, Buffer(page), "data.mdb")) return 1;
            auto const scanned = environment->scan("numbers", {}, [](View, View) { return true; });
            return scanned ? 0 : scanned.error().fault == Fault::damaged ? 70 : 2;
        });
        CAPTURE(lost, status);
        CHECK((status == 0 || status == 70));  // 0: nothing was in that page
        noticed += status == 70 ? 1 : 0;
        auto const said = read_file(directory / "said", KiB(64));
        REQUIRE(said);
        exits += as_text(*said).find("restore it from a backup") != std::string_view::npos ? 1 : 0;
        REQUIRE(write_exactly(file->get(), lost * page, kept, "data.mdb"));
    }
    CHECK(noticed > 100);
    CHECK(exits > 100);
    CHECK(text_at(opened(options_at(directory.path())), "words", "a") == "apple");
}

TEST_CASE("noise in any page, or behind the head, is called damage when the database is opened") {
    TemporaryDirectory directory;
    fill(directory / "whole");
    {
        auto environment = opened(options_at(directory / "whole"));
        Batch batch;
        for (std::uint64_t i = 0; i < 5000; i += 2)
            batch.push_back({"numbers", key_of(i), std::nullopt});  // free pages
        batch.push_back({"words", to_buffer(as_view("long")), Buffer(5 * page, std::byte{1})});
        REQUIRE(environment.apply(batch));
    }
    auto whole = read_file(directory / "whole/data.mdb", MiB(64));
    REQUIRE(whole);
    while (whole->size() > page &&
           std::ranges::all_of(View(*whole).last(page), [](auto byte) { return byte == std::byte{}; }))
        whole->resize(whole->size() - page);
    auto const file = open_file(directory / "whole/data.mdb", O_RDWR);
    REQUIRE(file);
    std::minstd_rand random(4);
    auto const outcome_with_noise = [&](std::size_t from, std::size_t to) {
        Buffer noise(to - from);
        for (auto& byte : noise) byte = static_cast<std::byte>(random());
        REQUIRE(write_exactly(file->get(), from, noise, "data.mdb"));
        auto const outcome = in_child([&] {
            for (auto const& options : {options_at(directory / "whole"), to_look_on(directory / "whole")}) {
                auto const environment = Environment::open(options);
                if (!environment) return environment.error().fault == Fault::damaged ? 70 : 1;
                if (!environment->scan("numbers", {}, [](View, View) { return true; })) return 2;
                if (!environment->scan("words", {}, [](View, View) { return true; })) return 3;
            }
            return 0;
        });
        REQUIRE(write_exactly(file->get(), from, View(*whole).subspan(from, to - from), "data.mdb"));
        return outcome;
    };
    CHECK(outcome_with_noise(page, page) == 0);
    for (int i = 0; i < 20; ++i) CHECK(outcome_with_noise(2 * page, whole->size()) == 70);
    int noticed = 0;
    for (auto at = 2 * page; at < whole->size(); at += page) {
        auto const outcome = outcome_with_noise(at, std::min(at + page, whole->size()));
        INFO(at / page);
        CHECK((outcome == 0 || outcome == 70));  // 0: the page is free, or in the middle of a long value
        noticed += outcome == 70 ? 1 : 0;
    }
    CHECK(noticed > 50);
    for (auto at = 2 * page; at < whole->size(); at += 4999) {  // a single bad word
        auto const outcome = outcome_with_noise(at, std::min(at + 4, whole->size()));
        INFO(at);
        CHECK((outcome == 0 || outcome == 70));
    }
}

TEST_CASE("a database of another format is refused, with both numbers") {
    TemporaryDirectory directory;
    { REQUIRE(opened(options_at(directory.path())).apply(Batch{{"meta", to_buffer(as_view("format")), key_of(9)}})); }
    auto const error = error_of_opening(directory.path());
    CHECK(error.fault == Fault::damaged);
    CHECK_THAT(error.message, Contains("format 9") && Contains("knows format 1"));
}

TEST_CASE("a creation that a crash interrupted begins again") {
    TemporaryDirectory directory;
    REQUIRE(write_file_durably(directory / "data.mdb.new", as_view("half made"), 0600));
    auto environment = opened(options_at(directory.path()));
    CHECK(environment.apply(Batch{put("words", "a", "1")}));
    CHECK_FALSE(fs::exists(directory / "data.mdb.new"));
}

TEST_CASE("a process that is killed leaves what it committed and nothing else, and its lock is gone") {
    TemporaryDirectory directory;
    auto const status = in_child([&] {
        auto environment = Environment::open(options_at(directory.path()));
        if (!environment || !environment->apply(Batch{put("words", "a", "apple")})) return 1;
        raise(SIGKILL);
        return 2;
    });
    REQUIRE(status == 128 + SIGKILL);
    CHECK(text_at(opened(options_at(directory.path())), "words", "a") == "apple");
}

TEST_CASE("what leaves unknown what is written ends the process, and the commit never happened") {
    struct Failure {
        void (*begin)();
        char const* said;
    };
    auto const [begin, expected] = GENERATE(Failure{&fail_every_sync, "Input/output error"},
                                            Failure{&fail_every_meta_page, "No space left on device"});
    TemporaryDirectory directory;
    fill(directory.path());
    auto const status = in_child([&, begin = begin] {
        if (freopen((directory / "said").c_str(), "w", stderr) == nullptr) return 3;
        auto environment = Environment::open(options_at(directory.path()));
        if (!environment) return 1;
        begin();
        (void)environment->apply(Batch{put("words", "a", "lost")});
        return 2;
    });
    CHECK(status == 70);
    auto const said = read_file(directory / "said", KiB(64));
    REQUIRE(said);
    CHECK_THAT(std::string(as_text(*said)), Contains(directory.path().string()) && Contains(expected));
    CHECK(text_at(opened(options_at(directory.path())), "words", "a") == "apple");
}

TEST_CASE("a copy is a whole database of its own, and later changes are not in it") {
    TemporaryDirectory directory;
    fill(directory / "db");
    auto environment = opened(options_at(directory / "db"));
    REQUIRE(environment.copy_to(directory / "copy"));
    REQUIRE(environment.apply(Batch{put("words", "a", "later")}));
    CHECK(require_private(directory / "copy/data.mdb"));
    auto const copy = opened(options_at(directory / "copy"));
    CHECK(text_at(copy, "words", "a") == "apple");
    CHECK(keys_from(copy, "numbers", "").size() == 5000);
    auto const again = environment.copy_to(directory / "copy");
    REQUIRE_FALSE(again);
    CHECK(again.error().fault == Fault::refused);
}

TEST_CASE("pages that are taken and given back in one commit do not make a database look cut") {
    TemporaryDirectory directory;
    auto options = options_at(directory.path());
    SECTION("in the first map") { options.first_map = MiB(16); }
    SECTION("in a map that grew") { options.first_map = KiB(64); }
    for (int round = 0; round < 5; ++round) {
        auto environment = opened(options);
        Batch batch;
        for (int i = 0; i < 20; ++i) batch.push_back(put("words", std::to_string(i), std::string(30'000, 'b')));
        for (int i = 19; i >= 0; --i) batch.push_back(erase("words", std::to_string(i)));
        REQUIRE(environment.apply(batch));
    }
    CHECK(Environment::open(options));
}

}  // namespace environment_test
