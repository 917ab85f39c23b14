#include "subscriber/agent/link.hpp"

#include <algorithm>

namespace lull::subscriber {

Duration Link::jitter(Duration most) {
    return Duration(std::uniform_int_distribution<std::int64_t>(0, std::max<std::int64_t>(0, most.count()))(random_));
}

void Link::opening(TimePoint now) {
    state_ = State::connecting;
    since_ = heard_ = used_ = pinged_ = now;
}

void Link::ready(TimePoint now) {
    state_ = State::greeting;
    since_ = heard_ = now;
}

void Link::welcomed(TimePoint now) {
    state_ = State::open;
    since_ = heard_ = used_ = moved_ = now;
    plan_check_in(now);
}

void Link::lost(TimePoint now) {
    auto const longest = std::min(times_.longest_backoff,
                                  times_.first_backoff * (std::int64_t{1} << std::min(failures_, 20U)));
    ++failures_;
    state_ = State::closed;
    since_ = now;
    not_before_ = std::max(not_before_, now + jitter(longest));
}

void Link::closed(TimePoint now) {
    state_ = State::closed;
    since_ = now;
    failures_ = 0;
    plan_check_in(now);  // the session that ends here was one
}

void Link::plan_check_in(TimePoint now) { check_in_ = now + times_.check_in / 2 + jitter(times_.check_in / 2); }

void Link::useful(TimePoint now) {
    used_ = now;
    failures_ = 0;
}

void Link::gap(TimePoint now, Duration spread) {
    if (!catch_up_) catch_up_ = now + jitter(spread);
}

Link::Advice Link::advise(Need need, TimePoint now) const {
    bool const wanted = need.wanted || catching_up(now);
    switch (state_) {
        case State::closed: return (wanted || now >= check_in_) && now >= not_before_ ? Advice::open : Advice::nothing;
        case State::connecting:
        case State::greeting: return now - since_ >= times_.answer ? Advice::give_up : Advice::nothing;
        case State::open: break;
    }
    if (need.owed && now - heard_ >= times_.dead) return Advice::give_up;
    if (need.bytes && now - moved_ >= times_.stalled) return Advice::give_up;
    if (need.owed && now - heard_ >= times_.ping && now - pinged_ >= times_.ping) return Advice::ping;
    if (!wanted && !need.owed && now - used_ >= times_.idle) return Advice::close;
    return Advice::nothing;
}

TimePoint Link::wake(Need need) const {
    switch (state_) {
        case State::closed: {
            TimePoint when = check_in_;
            if (need.wanted) when = not_before_;
            if (catch_up_) when = std::min(when, *catch_up_);
            return std::max(when, not_before_);
        }
        case State::connecting:
        case State::greeting: return since_ + times_.answer;
        case State::open: break;
    }
    if (need.owed) {
        TimePoint const when = std::min(heard_ + times_.dead, std::max(heard_, pinged_) + times_.ping);
        return need.bytes ? std::min(when, moved_ + times_.stalled) : when;
    }
    TimePoint when = need.wanted ? TimePoint::max() : used_ + times_.idle;
    if (catch_up_) when = std::min(when, *catch_up_);
    return when;
}

}  // namespace lull::subscriber
