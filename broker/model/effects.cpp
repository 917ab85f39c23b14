#include "broker/model/effects.hpp"

#include <algorithm>
#include <utility>

namespace lull::broker {

void Effects::act(Actions actions) { std::ranges::move(actions, std::back_inserter(actions_)); }

void Effects::persist(store::Batch batch, Continuation then) {
    auto const ticket = next_ticket_++;
    continuations_.emplace(ticket, std::move(then));
    act(Persist{ticket, std::move(batch)});
}

void Effects::finish(BatchDone const& event, Moment now) {
    auto const found = continuations_.find(event.ticket);
    LULL_INVARIANT(found != continuations_.end());
    auto const then = std::move(found->second);
    continuations_.erase(found);
    then(event.status, now);
}

}  // namespace lull::broker
