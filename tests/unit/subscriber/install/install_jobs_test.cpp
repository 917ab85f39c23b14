#include "subscriber/install/install_jobs.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <semaphore>

#include "running.hpp"

// Which job begins when, without a clock: jobs wait for permits that the test gives.

namespace lull::subscriber::test::install_jobs_test {

namespace {

SoftwareName named(std::string_view text) { return SoftwareName::parse(text).value(); }

struct JobsOfTest {
    EventLoop loop;
    std::vector<std::string> begun;  // guarded by mutex
    std::vector<std::string> ended;  // "name", or "name cancelled"
    std::mutex mutex;
    std::counting_semaphore<64> permits{0};
    InstallJobs jobs;

    explicit JobsOfTest(unsigned cores = 2) : jobs(loop, cores) {}

    // A job that ends when it gets a permit.
    void submit_blocked(std::string const& name, TreeJob job) { submit(name, std::move(job), true); }
    void submit(std::string const& name, TreeJob job, bool blocked = false) {
        jobs.submit(
            std::move(job),
            [this, name, blocked](std::stop_token const& stop) {
                if (stop.stop_requested()) return true;
                {
                    std::lock_guard const lock(mutex);
                    begun.push_back(name);
                }
                loop.post([this] { loop.stop(); });
                if (blocked) permits.acquire();
                return stop.stop_requested();
            },
            [this, name](bool stopped) {
                ended.push_back(stopped ? name + " cancelled" : name);
                loop.stop();
            });
    }
    void wait_begun(std::size_t count) {
        while (begun_names().size() < count) run_bounded(loop);
    }
    void wait_ended(std::size_t count) {
        while (ended.size() < count) run_bounded(loop);
    }
    std::vector<std::string> begun_names() {
        std::lock_guard const lock(mutex);
        return begun;
    }
};

TreeJob staging(std::string_view software, Bytes size, Urgency urgency = Urgency::normal) {
    return {named(software), TreeWork::staging, urgency, size};
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a small job does not wait for a large one") {
    JobsOfTest test;
    test.submit_blocked("large", staging("a", GiB(1)));
    test.wait_begun(1);
    test.submit("small", staging("b", KiB(1)));
    test.wait_ended(1);
    CHECK(test.ended == Names{"small"});
    test.permits.release();
    test.wait_ended(2);
}

TEST_CASE("control: a large job waits for another large one, so the test above can fail") {
    JobsOfTest test;
    test.submit_blocked("large", staging("a", GiB(1)));
    test.wait_begun(1);
    test.submit("large as well", staging("b", GiB(1)));
    test.submit("small", staging("c", KiB(1)));
    test.wait_ended(1);
    CHECK(test.begun_names() == Names{"large", "small"});
    test.permits.release();
    test.wait_ended(3);
    CHECK(test.ended == Names{"small", "large", "large as well"});
}

TEST_CASE("of those that wait the urgent ones begin first, then the small ones, then the first ones") {
    JobsOfTest test;
    test.submit_blocked("blocks", staging("a", KiB(1)));
    test.wait_begun(1);
    test.submit("large", staging("b", MiB(2)));
    test.submit("small", staging("c", MiB(1)));
    test.submit("as small", staging("d", MiB(1)));
    test.submit("urgent", staging("e", MiB(3), Urgency::urgent));
    test.permits.release();
    test.wait_ended(5);
    CHECK(test.begun_names() == Names{"blocks", "urgent", "small", "as small", "large"});
}

TEST_CASE("of one software one job at a time, whatever its size") {
    JobsOfTest test;
    test.submit_blocked("first", staging("a", GiB(1)));
    test.wait_begun(1);
    test.submit("second", {named("a"), TreeWork::plan, Urgency::immediate, Bytes()});
    test.submit("other", staging("b", KiB(1)));
    test.wait_ended(1);
    CHECK(test.ended == Names{"other"});
    test.permits.release();
    test.wait_ended(3);
    CHECK(test.ended == Names{"other", "first", "second"});
}

TEST_CASE("from four cores on two large jobs run side by side") {
    JobsOfTest test(4);
    test.submit_blocked("one", staging("a", GiB(1)));
    test.submit_blocked("two", staging("b", GiB(1)));
    test.wait_begun(2);
    test.permits.release(2);
    test.wait_ended(2);
}

TEST_CASE("a job that runs is told to stop; one that waits ends without having begun; both tell") {
    JobsOfTest test;
    test.submit_blocked("runs", staging("a", GiB(1)));
    test.wait_begun(1);
    test.submit("waits", staging("b", GiB(1)));
    test.jobs.cancel(named("b"), TreeWork::staging);
    test.wait_ended(1);
    CHECK(test.ended == Names{"waits cancelled"});
    test.jobs.cancel(named("a"), TreeWork::plan);  // there is none
    test.jobs.cancel(named("a"), TreeWork::staging);
    test.jobs.cancel(named("a"), TreeWork::staging);  // once more changes nothing
    test.permits.release();
    test.wait_ended(2);
    CHECK(test.ended == Names{"waits cancelled", "runs cancelled"});
    CHECK(test.begun_names() == Names{"runs"});
}

TEST_CASE("a removal gives way to every other job of its software") {
    JobsOfTest test;
    TreeJob const removal{named("a"), TreeWork::removal, Urgency::background, Bytes()};
    test.submit_blocked("removal", removal);
    test.wait_begun(1);
    test.submit("other removal", {named("b"), TreeWork::removal, Urgency::background, Bytes()});
    test.submit("update", staging("a", KiB(1)));
    test.permits.release();
    test.wait_ended(3);
    // The last two run on threads of their own.
    REQUIRE(test.ended.size() == 3);
    CHECK(test.ended.front() == "removal cancelled");
    CHECK(std::ranges::count(test.ended, "update") == 1);
    CHECK(std::ranges::count(test.ended, "other removal") == 1);
}

TEST_CASE("what makes room for a release does not give way to other jobs of its software") {
    JobsOfTest test;
    test.submit_blocked("room", {named("a"), TreeWork::room, Urgency::immediate, Bytes()});
    test.wait_begun(1);
    test.submit("update", staging("a", KiB(1)));
    test.permits.release();
    test.wait_ended(2);
    CHECK(test.ended == Names{"room", "update"});
}

TEST_CASE("the end of the process stops what runs and drops what waits") {
    auto test = std::make_unique<JobsOfTest>();
    test->submit_blocked("runs", staging("a", GiB(1)));
    test->wait_begun(1);
    test->submit("waits", staging("b", GiB(1)));
    test->jobs.cancel_all();
    test->permits.release();
    test->wait_ended(2);
    CHECK(test->ended.size() == 2);
    CHECK(test->begun_names() == Names{"runs"});
}

}  // namespace lull::subscriber::test::install_jobs_test
