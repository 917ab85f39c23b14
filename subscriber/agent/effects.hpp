#pragma once

#include <functional>
#include <map>

#include "core/clock.hpp"
#include "subscriber/model/actions.hpp"

namespace lull::subscriber {

// The only way out of the decision code: actions for the shell, in their order, and what follows when a batch is
// durable.
class Effects {
public:
    using Continuation = std::function<void(Moment)>;

    // Writes the batch to the journal. `then` runs when it is durable, and may cause further effects.
    void persist(
        store::Batch batch, Continuation then = [](Moment) {});
    void send(Message message) { actions_.push_back(Send{std::move(message)}); }
    void log(LogLevel level, std::string text) { actions_.push_back(Say{level, std::move(text)}); }
    void perform(Action action) { actions_.push_back(std::move(action)); }

    // A batch of persist() is durable. Aborts if it could not be written: memory would be ahead of the disk. The shell
    // ends the process, and the next one starts from what is durable.
    void durable(BatchDone const& event, Moment now);

    // The actions since the last call.
    [[nodiscard]] Actions take() { return std::exchange(actions_, {}); }

private:
    Actions actions_;
    std::map<Ticket, Continuation> continuations_;
    Ticket next_ticket_ = 1;
};

}  // namespace lull::subscriber
