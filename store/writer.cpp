#include "store/writer.hpp"

#include <utility>

namespace lull::store {

Writer::Writer(Environment& environment, EventLoop& loop) : environment_(environment), loop_(loop) {
    thread_ = std::thread([this] { work(); });
}

void Writer::finish() {
    if (!thread_.joinable()) return;
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
        LULL_INVARIANT(!ending_);
        queue_.push_back(Pending{std::move(batch), std::move(done), *known_failures_});
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

// Applies all batches from `first` on, and returns how many of them are durable: all or none.
std::size_t Writer::write_together(std::deque<Pending> const& gathered, std::size_t first) {
    std::vector<Batch const*> batches;
    for (auto i = first; i < gathered.size(); ++i) batches.push_back(&gathered[i].batch);
    return batches.size() > 1 && environment_.apply(batches) ? batches.size() : 0;
}

Writer::Outcome Writer::write_alone(Pending& pending) {
    if (failure_ && pending.known <= failure_->known) {
        return {
            std::move(pending.done),
            fail(failure_->error.fault, "not written, because an earlier change was not: {}", failure_->error.message)};
    }
    auto status = environment_.apply(pending.batch);
    if (!status) failure_ = {pending.known, status.error()};
    bool const failed = !status;
    return {std::move(pending.done), std::move(status), failed};
}

void Writer::commit(std::deque<Pending> gathered) {
    std::size_t at = 0;
    std::vector<Outcome> results;
    results.reserve(gathered.size());
    for (; at < gathered.size() && failure_ && gathered[at].known <= failure_->known; ++at) {
        results.push_back(write_alone(gathered[at]));
    }
    auto const durable = at + write_together(gathered, at);
    for (; at < durable; ++at) results.push_back({std::move(gathered[at].done), {}});
    for (; at < gathered.size(); ++at) results.push_back(write_alone(gathered[at]));
    loop_.post([results = std::move(results), known = known_failures_] {
        for (auto const& result : results) {
            if (result.first_to_fail) ++*known;
            result.done(result.status);
        }
    });
}

}  // namespace lull::store
