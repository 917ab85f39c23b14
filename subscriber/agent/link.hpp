#pragma once

#include <cstdint>
#include <optional>
#include <random>

#include "core/units.hpp"
#include "schema/ids.hpp"

namespace lull::subscriber {

struct LinkTimes {
    Duration answer = std::chrono::seconds(15);    // for WELCOME, LOG, REPORT-ACK: then ask again in a new session
    Duration ping = std::chrono::seconds(20);      // silence while something is owed to us: PING
    Duration dead = std::chrono::seconds(60);      // silence after which the session is given up
    Duration stalled = std::chrono::minutes(3);    // the same for bytes that are owed, though pings are answered; the
                                                   // broker sends the nodes in its queue their place every minute
    Duration idle = std::chrono::seconds(60);      // nothing to send: close
    Duration check_in = std::chrono::minutes(15);  // send HELLO at least this often (jittered)
    Duration first_backoff = std::chrono::seconds(1);  // full jitter, doubling
    Duration longest_backoff = std::chrono::minutes(2);
};

// Decides when the exchange is opened, given up, and closed. Holds no socket and no message.
class Link {
public:
    enum class State { closed, connecting, greeting, open };

    Link(LinkTimes times, std::uint64_t seed) : times_(times), random_(seed) {}

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] bool open() const { return state_ == State::open; }

    // What changes the state.
    void opening(TimePoint now);  // OpenExchange was ordered
    void ready(TimePoint now);    // connected: HELLO goes out
    void welcomed(TimePoint now);
    void heard(TimePoint now) { heard_ = now; }
    void lost(TimePoint now);    // back off, with full jitter
    void closed(TimePoint now);  // on purpose
    void busy(TimePoint until) { not_before_ = until; }
    void spoke(TimePoint now) { used_ = now; }
    void moved(TimePoint now) { moved_ = now; }  // bytes came or were asked for, or a place in the queue came
    void useful(TimePoint now);                  // the session has brought something: failures before it count no more

    // A part of the log is missing: catch up within `spread`, at a random moment.
    void gap(TimePoint now, Duration spread);
    void no_gap() { catch_up_.reset(); }
    [[nodiscard]] bool catching_up(TimePoint now) const { return catch_up_ && *catch_up_ <= now; }
    [[nodiscard]] bool gap_known() const { return catch_up_.has_value(); }

    enum class Advice { nothing, open, give_up, ping, close };
    // What to do now; `wanted`: there is something to send or to fetch; `owed`: an answer is outstanding; `bytes`: and
    // it is bytes of objects.
    struct Need {
        bool wanted = false;
        bool owed = false;
        bool bytes = false;
    };
    [[nodiscard]] Advice advise(Need need, TimePoint now) const;
    void pinged(TimePoint now) { pinged_ = now; }
    // The next time at which advise() may give something new.
    [[nodiscard]] TimePoint wake(Need need) const;

private:
    [[nodiscard]] Duration jitter(Duration most);
    void plan_check_in(TimePoint now);

    LinkTimes times_;
    std::mt19937_64 random_;
    State state_ = State::closed;
    TimePoint since_{};  // of the state
    TimePoint heard_{};
    TimePoint used_{};
    TimePoint pinged_{};
    TimePoint moved_{};
    TimePoint not_before_{};
    TimePoint check_in_{};
    std::optional<TimePoint> catch_up_;
    unsigned failures_ = 0;
};

}  // namespace lull::subscriber
