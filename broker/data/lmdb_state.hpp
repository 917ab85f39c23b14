#pragma once

#include "broker/state/shared_state.hpp"
#include "store/writer.hpp"

namespace lull::broker {

// The state of a broker that is alone: its own LMDB environment, behind the writer's thread. No other broker writes
// there, so that nothing conflicts and there is nothing to watch.
class LmdbState final : public SharedState {
public:
    explicit LmdbState(store::Writer& writer) : writer_(writer) {}

    void commit(store::Batch batch, std::function<void(Outcome const&)> done) override {
        writer_.submit(std::move(batch), [this, done = std::move(done)](Status const& status) {
            done(status ? Outcome(BatchDone{Revision{++revision_}}) : Outcome(status.error()));
        });
    }
    void watch(Revision, std::function<void(Change const&)>) override {}

private:
    store::Writer& writer_;
    std::uint64_t revision_ = 0;  // batches since the start
};

}  // namespace lull::broker
