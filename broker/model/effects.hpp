#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "broker/model/actions.hpp"
#include "broker/model/events.hpp"
#include "core/clock.hpp"

namespace lull::broker {

// What goes on when a batch is durable, or when nothing of it was written.
using Continuation = std::function<void(Status const&, Moment)>;

// The only way out of the decision code: hearts put actions here, and the broker hands them to the shell in this order.
class Effects {
public:
    void act(Action action) { actions_.push_back(std::move(action)); }
    void act(Actions actions);
    void send(SessionId session, Message message) { act(Send{session, std::move(message)}); }
    void refuse(SessionId session, Refusal reason, std::string text) {
        send(session, Refused{reason, std::move(text)});
    }
    void say(LogLevel level, std::string text) { act(Say{level, std::move(text)}); }

    // Makes a batch durable. Batches become durable in the order of these calls. When one fails, the writer fails all
    // that were submitted before the failure was reported, so a continuation may assume that no earlier batch is
    // missing.
    void persist(store::Batch batch, Continuation then);
    // Runs the continuation of this batch.
    void finish(BatchDone const& event, Moment now);

    // Hands over all actions since the last call.
    [[nodiscard]] Actions take() { return std::exchange(actions_, {}); }

private:
    Actions actions_;
    std::map<Ticket, Continuation> continuations_;
    Ticket next_ticket_ = 1;
};

}  // namespace lull::broker
