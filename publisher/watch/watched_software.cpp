#include "publisher/watch/watched_software.hpp"

#include <algorithm>
#include <bit>

namespace lull::publisher::watch {

namespace {

// A list of problems has a line for each; a log and a table have one for all.
std::string in_one_line(std::string_view message) {
    std::string line;
    for (auto const c : message) {
        if (c == '\n') line += line.ends_with(':') ? "" : ";";
        if (c != '\n' && !(c == ' ' && line.ends_with(' '))) line += c;
    }
    return line;
}

}  // namespace

Duration back_off(unsigned failures, Duration first, Duration last) {
    auto wait = first;
    for (unsigned i = 1; i < failures && wait < last; ++i) wait *= 2;
    return std::min(wait, last);
}

// The first look is for what changed while nobody watched. A tree with the fingerprint of the last release needs
// nothing.
WatchedSoftware::WatchedSoftware(SoftwareName software, Ticket ticket, WatchTimes const& times,
                                 std::optional<LastRelease> last, TimePoint now)
    : software_(std::move(software)),
      ticket_(ticket),
      times_(times),
      next_look_(now),
      last_(std::move(last)) {
    if (last_) done_ = last_->fingerprint;
}

void WatchedSoftware::plan(TimePoint when) {
    state_ = State::planned;
    next_look_ = when;
}

void WatchedSoftware::begin_unrest(TimePoint now) {
    if (unrest_since_) return;
    unrest_since_ = now;
    unrest_report_ = now + times_.restless;
}

void WatchedSoftware::changed(TimePoint now) {
    changed_ = now;
    failures_ = 0;
    begin_unrest(now);
    if (state_ == State::looking || state_ == State::publishing) {
        again_ = true;
        return;
    }
    candidate_.reset();
    plan(now + times_.settle / 2);
}

void WatchedSoftware::unsure(TimePoint now) {
    if (state_ == State::looking || state_ == State::publishing) return changed(now);
    candidate_.reset();
    changed_.reset();
    plan(now);
}

Actions WatchedSoftware::tick(TimePoint now) {
    Actions actions;
    if (unrest_since_ && now >= unrest_report_) {
        auto const so_far = now - *unrest_since_;
        unrest_report_ = now + so_far;
        actions = say(LogLevel::warn,
                      fmt::format("has been changing for {}; it is released when nothing changes for {}",
                                  to_text(so_far), to_text(times_.settle)));
    }
    if (state_ == State::planned && now >= next_look_) {
        state_ = State::looking;
        look_began_ = now;
        actions.push_back(action::Look{software_, ticket_});
    }
    return actions;
}

// ---- looks ----

Actions WatchedSoftware::looked(Result<TreeLook> const& look, Moment now) {
    LULL_INVARIANT(state_ == State::looking);
    last_look_ = now.wall;
    if (again_ || (!look && look.error().fault == Fault::cancelled)) {
        if (!again_) changed_ = now.point;
        again_ = false;
        candidate_.reset();
        begin_unrest(now.point);
        plan(std::max(now.point, *changed_ + times_.settle / 2));
        return {};
    }
    if (!look) return look_failed(look.error(), now.point);
    if (look->empty) return found_empty(now.point);
    empty_ = false;
    found(look->fingerprint, now.point);
    return {};
}

Actions WatchedSoftware::look_failed(Error const& error, TimePoint now) {
    candidate_.reset();
    unrest_since_.reset();
    auto actions = failed(error.message, now);
    plan(now + back_off(failures_, times_.first_retry, times_.last_retry));
    return actions;
}

// Nothing can be released: a mount point without its medium, or a directory that somebody is about to fill.
Actions WatchedSoftware::found_empty(TimePoint now) {
    candidate_.reset();
    changed_.reset();
    unrest_since_.reset();
    plan(now + times_.scan);
    if (std::exchange(empty_, true)) return {};
    return say(LogLevel::info, "is empty; nothing is released");
}

void WatchedSoftware::found(Digest const& fingerprint, TimePoint now) {
    if (done_ == fingerprint) {
        unrest_since_.reset();
        return finish(now);
    }
    if (candidate_ != fingerprint) {
        begin_unrest(now);
        candidate_ = fingerprint;
        candidate_began_ = look_began_;
    }
    if (look_began_ < confirm_at()) return plan(confirm_at());
    unrest_since_.reset();
    state_ = State::ready;
    ready_since_ = now;
}

// When the second look at a candidate may begin.
TimePoint WatchedSoftware::confirm_at() const {
    if (changed_ && *changed_ <= candidate_began_)
        return std::max(*changed_ + times_.settle, candidate_began_ + times_.settle / 2);
    return candidate_began_ + times_.settle;
}

// ---- publications ----

action::Publish WatchedSoftware::start() {
    LULL_INVARIANT(ready() && candidate_);
    state_ = State::publishing;
    return {software_, ticket_, *candidate_, last_};
}

Actions WatchedSoftware::published(Outcome const& outcome, Moment now) {
    LULL_INVARIANT(state_ == State::publishing && candidate_);
    return std::visit([&](auto const& concrete) { return end(concrete, now.point); }, outcome);
}

// Nothing is left to do for the tree as it is, unless a change was reported meanwhile.
void WatchedSoftware::finish(TimePoint now) {
    candidate_.reset();
    if (std::exchange(again_, false)) return plan(std::max(now, *changed_ + times_.settle / 2));
    changed_.reset();
    plan(now + times_.scan);
}

void WatchedSoftware::settle_on(LastRelease release, TimePoint now) {
    last_ = std::move(release);
    last_->fingerprint = *candidate_;
    done_ = candidate_;
    failures_ = 0;
    error_.clear();
    finish(now);
}

Actions WatchedSoftware::end(outcome::Released const& released, TimePoint now) {
    settle_on(released.release, now);
    return say(LogLevel::info,
               fmt::format("released {}; number {} in the broker's log", last_->version.text(), released.seq.value));
}

Actions WatchedSoftware::end(outcome::Unchanged const& unchanged, TimePoint now) {
    settle_on(unchanged.release, now);
    return say(LogLevel::info,
               fmt::format("has the contents of {}, which is published; nothing to do", last_->version.text()));
}

Actions WatchedSoftware::end(outcome::Changed const& changed, TimePoint now) {
    error_ = changed.text;
    candidate_.reset();
    if (!std::exchange(again_, false)) changed_ = now;
    begin_unrest(now);
    plan(std::max(now, *changed_ + times_.settle / 2));
    return say(LogLevel::warn, changed.text);
}

Actions WatchedSoftware::end(outcome::Failed const& failure, TimePoint now) {
    bool const again = again_;
    switch (failure.remedy) {
        case outcome::Remedy::change: {
            done_ = candidate_;
            finish(now);
            failures_ = 0;
            auto actions = failed("the watcher waits for a change: " + in_one_line(failure.error.message), now);
            failures_ = 0;
            return actions;
        }
        case outcome::Remedy::broker: {
            error_ = failure.error.message;
            if (again) {
                finish(now);
            } else {
                state_ = State::ready;
            }
            return {};
        }
        case outcome::Remedy::time: break;
    }
    auto const fingerprint = candidate_;
    finish(now);
    auto actions = failed(failure.error.message, now);
    if (again) return actions;
    candidate_ = fingerprint;  // one look that finds it again is enough
    candidate_began_ = now - times_.settle;
    plan(now + back_off(failures_, times_.first_retry, times_.last_retry));
    return actions;
}

Actions WatchedSoftware::end(outcome::Stopped const&, TimePoint now) {
    finish(now);
    return {};
}

// Reports an error when it is new, and after 2, 4, 8, ... times.
Actions WatchedSoftware::failed(std::string text, TimePoint) {
    ++failures_;
    bool const known = text == error_;
    error_ = std::move(text);
    if (known && !std::has_single_bit(failures_)) return {};
    return say(LogLevel::error, error_);
}

Actions WatchedSoftware::say(LogLevel level, std::string const& text) const {
    return {action::Report{level, fmt::format("{}: {}", software_.text(), text)}};
}

// ---- what others ask ----

TimePoint WatchedSoftware::wake() const {
    auto wake = state_ == State::planned ? next_look_ : TimePoint::max();
    if (unrest_since_) wake = std::min(wake, unrest_report_);
    return wake;
}

SoftwareStatus WatchedSoftware::status() const {
    auto const waits_for = [this]() -> std::string {
        if (state_ == State::publishing) return "the broker's confirmation";
        if (state_ == State::ready) return "its turn to be published";
        if (empty_) return "contents: the directory is empty";
        if (unrest_since_) return "the tree to rest";
        if (failures_ > 0) return "the next try";
        return error_.empty() ? "a change: all is released" : "a change";
    };
    return {software_, last_look_, last_, waits_for(), error_};
}

}  // namespace lull::publisher::watch
