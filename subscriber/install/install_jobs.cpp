#include "subscriber/install/install_jobs.hpp"

#include <algorithm>
#include <tuple>

namespace lull::subscriber {

namespace {

constexpr unsigned cores_for_two = 4;

bool is_slow(TreeJob const& job) {
    return job.work == TreeWork::removal || job.work == TreeWork::room || job.size >= InstallJobs::large;
}

// The smaller, the sooner.
auto rank_of(TreeJob const& job) {
    return std::tuple(job.work == TreeWork::removal, -static_cast<int>(job.urgency), job.size.count());
}

}  // namespace

InstallJobs::InstallJobs(EventLoop& loop, unsigned cores)
    : loop_(loop),
      at_once_(cores >= cores_for_two ? 2 : 1),
      quick_(loop, at_once_),
      slow_(loop, at_once_) {}

InstallJobs::~InstallJobs() {
    for (auto& entry : entries_) entry.stop.request_stop();
}

void InstallJobs::add(std::uint64_t id, TreeJob job, Run run) {
    cancel(job.software, TreeWork::removal);
    entries_.push_back({id, std::move(job), std::move(run), {}});
    begin_what_can();
}

void InstallJobs::ended(std::uint64_t id) {
    auto const found = std::ranges::find(entries_, id, &Entry::id);
    LULL_INVARIANT(found != entries_.end());
    if (found->running) --running_[is_slow(found->job) ? 1 : 0];
    entries_.erase(found);
    begin_what_can();
}

bool InstallJobs::is_running(SoftwareName const& software) const {
    return std::ranges::any_of(entries_,
                               [&](Entry const& entry) { return entry.running && entry.job.software == software; });
}

InstallJobs::Entry* InstallJobs::next(bool slow) {
    Entry* best = nullptr;
    for (auto& entry : entries_) {
        bool const waits = !entry.running && !entry.stop.stop_requested() && is_slow(entry.job) == slow;
        if (!waits || is_running(entry.job.software)) continue;
        if (best == nullptr || rank_of(entry.job) < rank_of(best->job)) best = &entry;
    }
    return best;
}

void InstallJobs::begin_what_can() {
    for (bool const slow : {false, true}) {
        auto& running = running_[slow ? 1 : 0];
        while (running < at_once_) {
            auto* const entry = next(slow);
            if (entry == nullptr) break;
            entry->running = true;
            ++running;
            entry->run(slow ? &slow_ : &quick_, entry->stop.get_token());
        }
    }
}

// One that has not begun ends without a thread.
void InstallJobs::stop(Entry& entry) {
    if (!entry.stop.request_stop() || entry.running) return;
    entry.run(nullptr, entry.stop.get_token());
}

void InstallJobs::cancel(SoftwareName const& software, TreeWork work) {
    for (auto& entry : entries_) {
        if (entry.job.software == software && entry.job.work == work) stop(entry);
    }
}

void InstallJobs::cancel_all() {
    for (auto& entry : entries_) stop(entry);
}

}  // namespace lull::subscriber
