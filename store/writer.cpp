#include "store/writer.hpp"

#include <utility>

namespace lull::store {

Writer::Writer(Environment& environment, EventLoop& loop) : environment_(environment), loop_(loop) {
    thread_ = std::thread([this] { work(); });
}

Writer::~Writer() {
    {
        std::lock_guard const guard(mutex_);
        ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void Writer::submit(Batch batch, Done done) {
    {
        std::lock_guard const guard(mutex_);
        queue_.push_back(Pending{std::move(batch), std::move(done)});
    }
    wake_.notify_one();
}

// Takes all that gathered while the last commit ran.
void Writer::work() {
    while (true) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
        if (queue_.empty()) return;
        auto gathered = std::exchange(queue_, {});
        lock.unlock();
        commit(std::move(gathered));
    }
}

void Writer::commit(std::deque<Pending> gathered) {
    std::vector<Batch const*> batches;
    batches.reserve(gathered.size());
    for (auto const& pending : gathered) batches.push_back(&pending.batch);
    auto const together = environment_.apply(batches);

    // One that is too large, or against a rule, must not take the others down.
    bool const one_by_one = !together && gathered.size() > 1;
    std::vector<std::pair<Done, Status>> results;
    results.reserve(gathered.size());
    for (auto& pending : gathered) {
        auto status = one_by_one ? environment_.apply(pending.batch) : together;
        results.emplace_back(std::move(pending.done), std::move(status));
    }
    loop_.post([results = std::move(results)] {
        for (auto const& [done, status] : results) done(status);
    });
}

}  // namespace lull::store
