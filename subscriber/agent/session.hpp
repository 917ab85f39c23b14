#pragma once

#include "subscriber/agent/agent_settings.hpp"
#include "subscriber/agent/effects.hpp"

namespace lull::subscriber {

// The exchange with the broker: when it is opened, kept alive, given up and closed; the broker's queue and rate.
class Session {
public:
    Session(AgentSettings const& settings, Effects& effects)
        : effects_(effects),
          answer_(settings.link.answer),
          link_(settings.link, settings.seed) {}

    [[nodiscard]] Link const& link() const { return link_; }
    [[nodiscard]] bool open() const { return link_.open(); }

    // ---- what happens to it ----

    void ready(Hello hello, Moment now);
    void lost(ExchangeLost const& event, Moment now);
    void heard(Message const& message, Moment now);
    // WELCOME came. False: nothing was asked for.
    [[nodiscard]] bool welcomed(Moment now);
    void on(Ping const& message, TimePoint came);
    void on(Busy const& message, Moment now);
    void on(Refused const& message, Moment now);
    void on(Queued const& message, Moment now);
    void on(Grant const& message, Moment now);
    // The broker does not keep to the protocol.
    void give_up(Moment now);

    // ---- what others know about it ----

    // A part of the log, or of the orders, is missing: the node asks for it within `spread`.
    void gap(Moment now, Duration spread) { link_.gap(now.point, spread); }
    void no_gap() { link_.no_gap(); }
    [[nodiscard]] bool catching_up(Moment now) const { return link_.catching_up(now.point); }
    void useful(Moment now) { link_.useful(now.point); }
    void spoke(Moment now) { link_.spoke(now.point); }
    void moved(Moment now) { link_.moved(now.point); }

    // ---- speaking ----

    // Sends what the broker has to answer.
    void ask(Message message, Moment now);
    // The broker has not answered for so long that its answer, or the question, was lost. True once for each wait.
    [[nodiscard]] bool answer_overdue(Moment now);
    // Ends each turn: opens, pings, gives up or closes the exchange.
    void keep_going(Link::Need need, Moment now);

    // When something is due. `asked`: the answer to ask() is still to come.
    enum class Answer { none, asked };
    [[nodiscard]] TimePoint wake(Link::Need need, Answer answer) const;

private:
    Effects& effects_;
    Duration answer_;
    Link link_;
    TimePoint asked_at_{};
};

// By a clock that never goes back, whatever its origin.
[[nodiscard]] std::uint64_t micros_of(TimePoint when);

}  // namespace lull::subscriber
