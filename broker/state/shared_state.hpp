#pragma once

#include <functional>
#include <variant>

#include "store/environment.hpp"

namespace lull::broker {

// Grows with each batch that is committed, whichever broker commits it.
struct Revision {
    std::uint64_t value = 0;
    auto operator<=>(Revision const&) const = default;
};

// The one interface through which the broker's durable state is changed and watched. Today one broker owns its state
// (LmdbState); a group of brokers on one shared store implements the same interface.
class SharedState {
public:
    virtual ~SharedState() = default;

    // All of the batch is durable.
    struct BatchDone {
        Revision revision;
    };
    // Nothing of it is written: another broker has changed one of its keys since the revision that this one has seen.
    struct Conflict {
        Revision seen;
    };
    using Outcome = std::variant<BatchDone, Conflict, Error>;

    // Batches are committed in the order of the calls. When one is not, those that were passed before its outcome was
    // told are not committed either: they may depend on it.
    virtual void commit(store::Batch batch, std::function<void(Outcome const&)> done) = 0;

    // What another broker has committed.
    struct Change {
        Revision revision;
        store::Batch batch;
    };
    // Calls `changed` for each batch of another broker behind this revision, in their order, on the loop.
    virtual void watch(Revision from, std::function<void(Change const&)> changed) = 0;
};

}  // namespace lull::broker
