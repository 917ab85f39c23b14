#include "publisher/watch/watch_list.hpp"

#include <catch2/catch.hpp>

namespace watch_list_test {

using namespace lull;
using namespace lull::publisher::watch;
using namespace std::chrono_literals;

namespace {

SoftwareName software(std::string_view text) { return SoftwareName::parse(text).value(); }
VersionName version(std::string_view text) { return VersionName::parse(text).value(); }
Digest tree(std::string_view contents) { return sha256(as_view(contents)); }
LastRelease release_of(std::string_view name, std::string_view contents = "") {
    return {version(name), WallTime{5}, tree(contents), tree(contents)};
}

// A directory in simulated time: trees are texts, looks take no time, publications end when a test says so.
class Directory {
public:
    explicit Directory(WatchList::Settings settings = {}, std::map<SoftwareName, LastRelease> remembered = {})
        : list_(std::move(settings), std::move(remembered), now_) {}

    void put(std::string const& name, std::string const& contents) { trees_[name] = contents; }
    void remove(std::string const& name) {
        trees_.erase(name);
        happened(event::DirectoryChanged{});
    }
    // A change that the kernel reports.
    void write(std::string const& name, std::string const& contents) {
        put(name, contents);
        happened(event::Changed{software(name)});
    }
    // Lets time pass, in steps that no timer crosses.
    void pass(Duration time) {
        auto const end = now_ + time;
        happened(event::Tick{});
        while (list_.wake() <= end) {
            now_ = std::max(now_, list_.wake());
            happened(event::Tick{});
        }
        now_ = end;
    }
    void happened(Event const& event) {
        for (auto const& action : list_.on(event, Moment{now_, WallTime{(now_ - TimePoint()).count() / 1000}}))
            std::visit([this](auto const& concrete) { perform(concrete); }, action);
    }
    // Ends the oldest publication.
    void end(Outcome outcome) {
        auto const order = published.at(ended_++);
        happened(event::Published{order.software, order.ticket, std::move(outcome)});
    }
    void release(std::string_view name) { end(outcome::Released{release_of(name), Seq{7}}); }
    void fail_with(outcome::Remedy remedy, std::string text = "it failed") {
        end(outcome::Failed{{Fault::failed, std::move(text)}, remedy});
    }

    [[nodiscard]] std::size_t lines(std::string_view part) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(said, [&](auto const& text) { return text.find(part) != std::string::npos; }));
    }
    [[nodiscard]] SoftwareStatus status(std::string_view name) const {
        for (auto& row : list_.status()) {
            if (row.software == software(name)) return row;
        }
        throw std::runtime_error("no such software");
    }
    [[nodiscard]] TimePoint now() const { return now_; }
    [[nodiscard]] WatchList const& list() const { return list_; }

    std::vector<action::Publish> published;
    std::vector<std::string> said;
    std::size_t looks = 0;
    std::size_t lists = 0;
    std::vector<std::string> invalid;
    std::optional<Error> broken;  // what each look finds instead

private:
    void perform(action::List const&) {
        ++lists;
        event::Listed listed;
        for (auto const& [name, contents] : trees_) listed.names.push_back(software(name));
        listed.invalid = invalid;
        happened(listed);
    }
    void perform(action::Look const& look) {
        ++looks;
        auto const& contents = trees_.at(look.software.text());
        Result<TreeLook> const found = TreeLook{tree(contents), contents.empty()};
        happened(event::Looked{look.software, look.ticket, broken ? Result<TreeLook>(publisher_error()) : found});
    }
    tl::unexpected<Error> publisher_error() const { return lull::pass(*broken); }
    void perform(action::Publish const& order) { published.push_back(order); }
    void perform(action::Report const& report) { said.push_back(report.text); }
    void perform(action::Forget const&) {}

    TimePoint now_{std::chrono::hours(1)};
    WatchList list_;
    std::map<std::string, std::string> trees_;
    std::size_t ended_ = 0;
};

WatchList::Settings of_times(WatchTimes times) { return {times, std::nullopt, 2}; }

}  // namespace

TEST_CASE("a tree that is there at the start is released after two looks that are the settle time apart") {
    Directory directory;
    directory.put("app", "1");
    directory.pass(4999ms);
    CHECK(directory.looks == 1);
    CHECK(directory.published.empty());
    directory.pass(1ms);
    REQUIRE(directory.published.size() == 1);
    CHECK(directory.looks == 2);
    CHECK(directory.published[0].fingerprint == tree("1"));
    CHECK_FALSE(directory.published[0].last);
}

TEST_CASE("a build that writes for a minute gives one release, five seconds after its last write") {
    Directory directory;
    directory.put("app", "0");
    directory.pass(6s);
    directory.release("0");
    for (int i = 1; i <= 600; ++i) {
        directory.write("app", std::to_string(i));
        directory.pass(100ms);
    }
    CHECK(directory.published.size() == 1);
    directory.pass(4899ms);
    CHECK(directory.published.size() == 1);
    directory.pass(1ms);
    REQUIRE(directory.published.size() == 2);
    CHECK(directory.published[1].fingerprint == tree("600"));
    directory.release("1");
    directory.pass(10min);
    CHECK(directory.published.size() == 2);
}

TEST_CASE("a pause of the build that is shorter than the settle time releases nothing") {
    Directory directory;
    directory.put("app", "0");
    directory.pass(6s);
    directory.release("0");
    for (int i = 1; i <= 20; ++i) {
        directory.write("app", std::to_string(i));
        directory.pass(4900ms);
    }
    CHECK(directory.published.size() == 1);
}

TEST_CASE("without the kernel's reports a change is released within interval and settle time") {
    Directory directory;
    directory.put("app", "0");
    directory.pass(6s);
    directory.release("0");
    auto const changed = directory.now();
    directory.put("app", "1");
    while (directory.published.size() == 1) directory.pass(100ms);
    CHECK(directory.now() - changed <= 65s);
    CHECK(directory.published[1].fingerprint == tree("1"));
}

TEST_CASE("a change that the kernel does not report between the two looks is seen by the second") {
    Directory directory;
    directory.put("app", "0");
    directory.pass(3s);
    directory.put("app", "1");
    directory.pass(2s);
    CHECK(directory.looks == 2);
    CHECK(directory.published.empty());
    directory.pass(5s);
    REQUIRE(directory.published.size() == 1);
    CHECK(directory.published[0].fingerprint == tree("1"));
}

TEST_CASE("a reported change begins the settle time anew, also if looks see nothing of it") {
    Directory directory;
    directory.put("app", "1");
    directory.pass(3s);
    directory.happened(event::Changed{software("app")});
    directory.pass(4999ms);
    CHECK(directory.published.empty());
    directory.pass(1ms);
    CHECK(directory.published.size() == 1);
}

TEST_CASE("a tree that never rests is reported with growing pauses, not released") {
    Directory directory;
    directory.put("app", "0");
    for (int i = 0; i < 3600; ++i) {
        directory.write("app", std::to_string(i));
        directory.pass(1s);
    }
    CHECK(directory.published.empty());
    CHECK(directory.lines("has been changing for") == 4);  // after 5, 10, 20 and 40 minutes
    CHECK(directory.status("app").waits_for == "the tree to rest");
    CHECK(directory.looks <= 1);  // and costs no looks
}

TEST_CASE("a tree that never rests is seen without the kernel's reports, too") {
    Directory directory;
    for (int i = 0; i < 3600; ++i) {
        directory.put("app", std::to_string(i));
        directory.pass(1s);
    }
    CHECK(directory.published.empty());
    CHECK(directory.lines("has been changing for") == 4);
}

TEST_CASE("an empty directory is never released, and is reported once") {
    Directory directory;
    directory.put("cd", "");
    directory.pass(1h);
    CHECK(directory.published.empty());
    CHECK(directory.lines("is empty") == 1);
    directory.put("cd", "medium");
    directory.happened(event::Unsure{software("cd")});
    directory.pass(5s);
    CHECK(directory.published.size() == 1);
}

TEST_CASE("a change during the publication is released afterwards") {
    Directory directory;
    directory.put("app", "1");
    directory.pass(5s);
    directory.write("app", "2");
    directory.pass(1min);
    CHECK(directory.published.size() == 1);
    directory.release("1");
    directory.pass(5s);
    REQUIRE(directory.published.size() == 2);
    CHECK(directory.published[1].fingerprint == tree("2"));
}

TEST_CASE("what changed while it was read is not released, and is tried again when it rests") {
    Directory directory;
    directory.put("app", "1");
    directory.pass(5s);
    directory.put("app", "2");
    directory.end(outcome::Changed{"changed while it was read; nothing was released"});
    CHECK(directory.status("app").error == "changed while it was read; nothing was released");
    directory.pass(4s);
    CHECK(directory.published.size() == 1);
    directory.pass(4s);
    REQUIRE(directory.published.size() == 2);
    directory.release("2");
    CHECK(directory.status("app").error.empty());
}

TEST_CASE("a restart releases nothing whose fingerprint is remembered, and compares what differs") {
    Directory directory({}, {{software("app"), release_of("1", "same")}, {software("tool"), release_of("1", "old")}});
    directory.put("app", "same");
    directory.put("tool", "touched");
    directory.pass(10min);
    REQUIRE(directory.published.size() == 1);
    CHECK(directory.published[0].software == software("tool"));
    CHECK(directory.published[0].last == release_of("1", "old"));
    directory.end(outcome::Unchanged{release_of("1", "old")});
    directory.pass(10min);
    CHECK(directory.published.size() == 1);
    CHECK(directory.list().remembered().at(software("tool")).fingerprint == tree("touched"));
}

TEST_CASE("a failure is retried with pauses that double up to ten minutes") {
    Directory directory;
    directory.put("app", "1");
    std::vector<Duration> pauses;
    auto before = directory.now();
    for (int i = 0; i < 10; ++i) {
        while (directory.published.size() == static_cast<std::size_t>(i)) directory.pass(1s);
        pauses.push_back(directory.now() - before);
        before = directory.now();
        directory.fail_with(outcome::Remedy::time);
    }
    CHECK(pauses == std::vector<Duration>{5s, 5s, 10s, 20s, 40s, 80s, 160s, 320s, 600s, 600s});
    CHECK(directory.lines("it failed") == 4);  // the first, second, fourth and eighth time
    CHECK(directory.status("app").waits_for == "the next try");
    directory.write("app", "2");  // a change is worth a try at once
    directory.pass(5s);
    CHECK(directory.published.size() == 11);
}

TEST_CASE("what only a change can repair waits for one") {
    Directory directory;
    directory.put("app", "1");
    directory.pass(5s);
    directory.fail_with(outcome::Remedy::change, "version 1 is already published");
    directory.pass(24h);
    CHECK(directory.published.size() == 1);
    CHECK(directory.lines("the watcher waits for a change: version 1 is already published") == 1);
    CHECK(directory.status("app").waits_for == "a change");
    directory.put("app", "2");
    directory.pass(65s);
    CHECK(directory.published.size() == 2);
}

TEST_CASE("a software that fails does not stop the others") {
    Directory directory;
    for (auto const* const name : {"a", "b", "c"}) directory.put(name, "1");
    directory.pass(5s);
    CHECK(directory.published.size() == 2);  // two at a time
    directory.fail_with(outcome::Remedy::change);
    CHECK(directory.published.size() == 3);
    directory.release("1");
    directory.release("1");
    CHECK(directory.list().remembered().size() == 2);
}

TEST_CASE("a publication that takes long does not delay the looks at others") {
    Directory directory;
    directory.put("large", "1");
    directory.pass(5s);
    REQUIRE(directory.published.size() == 1);
    directory.put("small", "1");
    directory.happened(event::DirectoryChanged{});
    directory.pass(6s);
    REQUIRE(directory.published.size() == 2);
    CHECK(directory.published[1].software == software("small"));
}

TEST_CASE("while the broker cannot be reached one try follows the other with growing pauses, for all software") {
    Directory directory;
    for (int i = 0; i < 50; ++i) directory.put(fmt::format("app-{}", i), "1");
    directory.pass(5s);
    std::size_t ended = 0;
    auto const fail_all = [&] {
        while (ended < directory.published.size()) {
            ++ended;
            directory.fail_with(outcome::Remedy::broker, "no broker listens");
        }
    };
    for (int i = 0; i < 600; ++i) {
        fail_all();
        directory.pass(1s);
    }
    CHECK(ended <= 40);  // two for each of at most 20 tries in ten minutes
    CHECK(directory.lines("no broker listens") < 8);
    CHECK(directory.status("app-7").waits_for == "its turn to be published");
    directory.pass(1min);
    for (; ended < 50 + directory.published.size() && directory.list().remembered().size() < 50; ++ended)
        directory.release("1");
    CHECK(directory.list().remembered().size() == 50);
    CHECK(directory.lines("the broker is reached again") == 1);
}

TEST_CASE("a directory that is gone is forgotten, and what was released is remembered when it returns") {
    Directory directory;
    directory.put("app", "1");
    directory.pass(5s);
    directory.end(outcome::Released{release_of("1", "1"), Seq{1}});
    directory.remove("app");
    directory.pass(1s);
    CHECK(directory.list().status().empty());
    CHECK(directory.lines("its directory is gone") == 1);
    directory.put("app", "1");
    directory.pass(2min);
    CHECK(directory.list().status().size() == 1);
    CHECK(directory.published.size() == 1);
}

TEST_CASE("a directory that is replaced during its publication is not published twice at once") {
    Directory directory;
    directory.put("app", "1");
    directory.pass(5s);
    directory.remove("app");
    directory.pass(1s);
    directory.put("app", "2");
    directory.pass(2min);
    CHECK(directory.published.size() == 1);
    directory.release("1");  // of the directory that is gone
    REQUIRE(directory.published.size() == 2);
    CHECK(directory.published[1].fingerprint == tree("2"));
    directory.release("2");
    CHECK(directory.list().remembered().at(software("app")).version == version("2"));
}

TEST_CASE("a look that fails is reported and tried again, and the last release stays known") {
    Directory directory({}, {{software("cd"), release_of("1", "1")}});
    directory.put("cd", "1");
    directory.broken = Error{Fault::failed, "cannot list: Input/output error"};
    directory.pass(30min);
    CHECK(directory.looks < 20);
    CHECK(directory.lines("Input/output error") < 5);
    CHECK(directory.status("cd").error == "cannot list: Input/output error");
    CHECK(directory.status("cd").last == release_of("1", "1"));
    directory.broken.reset();
    directory.put("cd", "2");
    directory.happened(event::Unsure{});
    directory.pass(5s);
    CHECK(directory.published.size() == 1);
}

TEST_CASE("a tree that changes during each look is not released") {
    Directory directory;
    directory.put("app", "1");
    directory.broken = Error{Fault::cancelled, "changed during a look"};
    directory.pass(20min);
    CHECK(directory.published.empty());
    CHECK(directory.lines("has been changing for") == 3);
}

TEST_CASE("lost events and mounts cause a look at once, and the settle time counts from it") {
    Directory directory;
    directory.put("app", "1");
    directory.pass(5s);
    directory.release("1");
    directory.pass(10s);
    directory.put("app", "2");
    auto const looks = directory.looks;
    directory.happened(event::Unsure{});
    CHECK(directory.looks == looks + 1);
    directory.pass(4999ms);
    CHECK(directory.published.size() == 1);
    directory.pass(1ms);
    CHECK(directory.published.size() == 2);
}

TEST_CASE("a tree that rests is looked at once in each interval") {
    Directory directory;
    directory.put("app", "1");
    directory.pass(5s);
    directory.release("1");
    auto const looks = directory.looks;
    directory.pass(1h);
    CHECK(directory.looks - looks == 60);
    CHECK(directory.lists <= 62);
}

TEST_CASE("with a name the directory itself is the software, and is not listed") {
    WatchList::Settings settings;
    settings.only = software("app");
    Directory directory(settings);
    directory.put("app", "1");
    directory.pass(5s);
    CHECK(directory.published.size() == 1);
    directory.happened(event::DirectoryChanged{});
    directory.pass(10min);
    CHECK(directory.lists == 0);
}

TEST_CASE("a directory whose name cannot be a software's is reported once") {
    Directory directory;
    directory.invalid = {"/srv/a b is not watched"};
    directory.put("app", "1");
    directory.pass(10min);
    CHECK(directory.lines("is not watched") == 1);
    CHECK(directory.list().invalid() == directory.invalid);
}

// The control: a watcher that does not wait would release a build in the middle.
TEST_CASE("without a settle time a build is released in the middle, so the tests above can fail") {
    WatchTimes times;
    times.settle = 50ms;
    Directory directory(of_times(times));
    directory.put("app", "0");
    directory.pass(1s);
    directory.release("0");
    for (int i = 1; i <= 5; ++i) {
        directory.write("app", std::to_string(i));
        directory.pass(100ms);
        if (directory.published.size() > 1) break;
    }
    CHECK(directory.published.size() > 1);
}

TEST_CASE("the pause before another try doubles and has an end") {
    CHECK(back_off(1, 5s, 10min) == 5s);
    CHECK(back_off(2, 5s, 10min) == 10s);
    CHECK(back_off(1000, 5s, 10min) == 10min);
}

}  // namespace watch_list_test
