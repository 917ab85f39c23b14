#pragma once

#include "broker/fleet/peers.hpp"
#include "broker/log/release_log.hpp"
#include "broker/model/effects.hpp"
#include "broker/orders/order_book.hpp"

namespace lull::broker {

// HEAD: where the log and the orders stand. Announced at intervals and after each change, and the first thing that a
// new subscriber gets.
class Beacon {
public:
    struct Parts {
        ReleaseLog const& log;
        Peers const& peers;
        OrderBook const& orders;
    };
    struct Pace {
        Duration interval;
        std::uint64_t catch_up_rate = 500;  // nodes a second that may ask for the log after a beacon
    };
    Beacon(Parts parts, Pace pace, Effects& effects) : parts_(parts), pace_(pace), effects_(effects) {}

    [[nodiscard]] Head head(WallTime now) const {
        auto const spread = parts_.peers.nodes().size() * 1000 / pace_.catch_up_rate;
        Head head{parts_.log.epoch(), parts_.log.head(), now, spread};
        if (auto const revision = parts_.orders.for_all().revision; revision != 0) head.orders = revision;
        return head;
    }
    void set_welcome(WallTime now) { effects_.act(SetWelcome{head(now)}); }
    void announce(WallTime now) {
        effects_.act(Announce{head(now)});
        set_welcome(now);
    }
    // Announces when it is time.
    void tick(Moment now) {
        if (now.point < next_) return;
        next_ = now.point + pace_.interval;
        announce(now.wall);
    }

private:
    Parts parts_;
    Pace pace_;
    Effects& effects_;
    TimePoint next_{};
};

}  // namespace lull::broker
