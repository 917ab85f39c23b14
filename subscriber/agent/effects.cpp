#include "subscriber/agent/effects.hpp"

namespace lull::subscriber {

void Effects::persist(store::Batch batch, Continuation then) {
    auto const ticket = next_ticket_++;
    continuations_.emplace(ticket, std::move(then));
    actions_.push_back(Persist{ticket, std::move(batch)});
}

void Effects::durable(BatchDone const& event, Moment now) {
    auto const found = continuations_.find(event.ticket);
    LULL_INVARIANT(found != continuations_.end());
    auto const then = std::move(found->second);
    continuations_.erase(found);
    LULL_INVARIANT(event.status.has_value());
    then(now);
}

}  // namespace lull::subscriber
