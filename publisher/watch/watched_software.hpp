#pragma once

#include "publisher/watch/events.hpp"

namespace lull::publisher::watch {

// One tree, from a change to its release. A tree is ready when the kernel has reported no change for the settle time
// and two looks found the same fingerprint: the first after half of that time, the second after all of it. Without a
// report of the kernel the two looks are the whole settle time apart.
class WatchedSoftware {
public:
    WatchedSoftware(SoftwareName software, Ticket ticket, WatchTimes const& times, std::optional<LastRelease> last,
                    TimePoint now);

    void changed(TimePoint now);
    void unsure(TimePoint now);  // looks at once
    [[nodiscard]] Actions tick(TimePoint now);
    [[nodiscard]] Actions looked(Result<TreeLook> const& look, Moment now);
    [[nodiscard]] Actions published(Outcome const& outcome, Moment now);

    // Waits for start(), since when.
    [[nodiscard]] bool ready() const { return state_ == State::ready; }
    [[nodiscard]] TimePoint ready_since() const { return ready_since_; }
    [[nodiscard]] action::Publish start();

    [[nodiscard]] TimePoint wake() const;
    [[nodiscard]] Ticket ticket() const { return ticket_; }
    [[nodiscard]] std::optional<LastRelease> const& last() const { return last_; }
    [[nodiscard]] SoftwareStatus status() const;

private:
    enum class State { planned, looking, ready, publishing };

    void plan(TimePoint when);
    void begin_unrest(TimePoint now);
    [[nodiscard]] TimePoint confirm_at() const;
    [[nodiscard]] Actions look_failed(Error const& error, TimePoint now);
    [[nodiscard]] Actions found_empty(TimePoint now);
    void found(Digest const& fingerprint, TimePoint now);
    void finish(TimePoint now);
    // The tree as it is has the contents of this release.
    void settle_on(LastRelease release, TimePoint now);
    [[nodiscard]] Actions failed(std::string text, TimePoint now);

    [[nodiscard]] Actions end(outcome::Released const& released, TimePoint now);
    [[nodiscard]] Actions end(outcome::Unchanged const& unchanged, TimePoint now);
    [[nodiscard]] Actions end(outcome::Changed const& changed, TimePoint now);
    [[nodiscard]] Actions end(outcome::Failed const& failed, TimePoint now);
    [[nodiscard]] Actions end(outcome::Stopped const& stopped, TimePoint now);
    [[nodiscard]] Actions say(LogLevel level, std::string const& text) const;

    SoftwareName software_;
    Ticket ticket_;
    WatchTimes times_;
    State state_ = State::planned;
    TimePoint next_look_;   // State::planned
    TimePoint look_began_;  // the last look
    TimePoint ready_since_;
    bool again_ = false;  // a change was reported during a look or a publication

    std::optional<Digest> done_;       // a tree with this fingerprint needs nothing
    std::optional<Digest> candidate_;  // what the last look found
    TimePoint candidate_began_;        // when a look found it first
    std::optional<TimePoint> changed_;
    std::optional<TimePoint> unrest_since_;
    TimePoint unrest_report_;
    bool empty_ = false;

    unsigned failures_ = 0;  // in a row
    std::string error_;
    std::optional<LastRelease> last_;
    std::optional<WallTime> last_look_;
};

// The time before try number `failures` + 1: `first`, doubled each time, at most `last`.
[[nodiscard]] Duration back_off(unsigned failures, Duration first, Duration last);

}  // namespace lull::publisher::watch
