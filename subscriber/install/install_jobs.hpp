#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>

#include "core/workers.hpp"
#include "schema/update_info.hpp"

namespace lull::subscriber {

// What is done to the trees of a software.
enum class TreeWork { plan, staging, current, removal, room };

// A job, and what decides when it begins.
struct TreeJob {
    SoftwareName software;
    TreeWork work = TreeWork::plan;
    Urgency urgency = Urgency::normal;
    Bytes size{};  // to be written
};

// Jobs of different software side by side on a few threads. Those that write much have threads of their own,
// so that a small update never waits for a large one. The urgent ones begin first, then the small ones, then
// in the order of submission; of one software one job at a time. A removal gives way to every other job of its
// software: it is dropped or stopped; one that makes room for a release does not. Belongs to the loop's thread.
class InstallJobs {
public:
    // `cores`: from 4 on, two jobs of each kind run at a time, else one.
    InstallJobs(EventLoop& loop, unsigned cores);
    // Stops all jobs and waits for those that run; no `done` runs afterwards.
    ~InstallJobs();
    InstallJobs(InstallJobs const&) = delete;
    InstallJobs& operator=(InstallJobs const&) = delete;

    // Runs `task(stop)` on a thread, then `done(result)` on the loop. Where stop was requested before the task began,
    // it does nothing and returns at once; it may then run on the loop.
    template <class Task, class Done>
    void submit(TreeJob job, Task task, Done done) {
        auto const id = next_id_++;
        auto run = [this, id, task = std::move(task), done = std::move(done)](Workers* threads, std::stop_token stop) {
            auto end = [this, id, done](auto result) {
                ended(id);
                done(std::move(result));
            };
            if (threads == nullptr) {
                loop_.post([end, alive = std::weak_ptr(alive_), value = task(stop)]() mutable {
                    if (!alive.expired()) end(std::move(value));
                });
            } else {
                threads->submit([task, stop] { return task(stop); }, end);
            }
        };
        add(id, std::move(job), std::move(run));
    }

    // Asks these jobs of a software to stop: their tasks return soon, and `done` runs as always.
    void cancel(SoftwareName const& software, TreeWork work);
    // Asks all of them to stop.
    void cancel_all();

    // From here on a job is a large one.
    static constexpr Bytes large = MiB(32);

private:
    using Run = std::function<void(Workers*, std::stop_token)>;
    struct Entry {
        std::uint64_t id = 0;
        TreeJob job;
        Run run;
        std::stop_source stop;
        bool running = false;
    };
    void add(std::uint64_t id, TreeJob job, Run run);
    void ended(std::uint64_t id);
    void begin_what_can();
    [[nodiscard]] Entry* next(bool slow);
    void stop(Entry& entry);
    [[nodiscard]] bool is_running(SoftwareName const& software) const;

    EventLoop& loop_;
    std::shared_ptr<char const> alive_ = std::make_shared<char const>();  // for ends that are on their way to the loop
    unsigned at_once_;
    std::list<Entry> entries_;
    unsigned running_[2] = {0, 0};  // quick ones, slow ones
    std::uint64_t next_id_ = 1;
    Workers quick_;
    Workers slow_;
};

}  // namespace lull::subscriber
