#pragma once

#include <deque>
#include <set>

#include "publisher/watch/watched_software.hpp"

namespace lull::publisher::watch {

// All software of a watched directory: which there is, whose turn it is to be published, and when the broker is asked
// again that could not be reached. Decides only: a shell does what the actions say, and reports events.
class WatchList {
public:
    static constexpr std::size_t most_software = 10'000;
    static constexpr std::size_t most_invalid = 100;  // names that are reported

    struct Settings {
        WatchTimes times;
        std::optional<SoftwareName> only;  // the directory itself is this software; nothing: its subdirectories
        std::size_t at_once = 2;           // publications
    };
    // `remembered`: what was released before this start.
    WatchList(Settings settings, std::map<SoftwareName, LastRelease> remembered, TimePoint now);

    [[nodiscard]] Actions on(Event const& event, Moment now);
    // When event::Tick is due.
    [[nodiscard]] TimePoint wake() const;

    // Whether a result with this ticket is for a directory that is still watched.
    [[nodiscard]] bool expects(SoftwareName const& software, Ticket ticket) const;

    [[nodiscard]] std::vector<SoftwareStatus> status() const;
    // Directories whose name cannot be a software's, with the reason.
    [[nodiscard]] std::vector<std::string> const& invalid() const { return invalid_; }
    // What was released last, also of software whose directory is gone.
    [[nodiscard]] std::map<SoftwareName, LastRelease> const& remembered() const { return remembered_; }

private:
    void handle(event::Listed const& event, Moment now);
    void handle(event::ListFailed const& event, Moment now);
    void handle(event::DirectoryChanged const& event, Moment now);
    void handle(event::Changed const& event, Moment now);
    void handle(event::Unsure const& event, Moment now);
    void handle(event::Looked const& event, Moment now);
    void handle(event::Published const& event, Moment now);
    void handle(event::Tick const& event, Moment now);

    void add(SoftwareName const& software, TimePoint now);
    void report(LogLevel level, std::string text);
    void append(Actions actions);
    void note_broker(Outcome const& outcome, TimePoint now);
    void remember(SoftwareName const& software, Outcome const& outcome);
    void start_ready(TimePoint now);

    Settings settings_;
    std::map<SoftwareName, WatchedSoftware> software_;
    std::map<SoftwareName, LastRelease> remembered_;
    std::vector<std::string> invalid_;
    std::set<SoftwareName> publishing_;
    Ticket next_ticket_ = 1;

    TimePoint next_list_;
    bool listing_ = false;
    std::string list_error_;

    unsigned broker_failures_ = 0;  // in a row
    TimePoint broker_again_;        // no publication begins before
    std::string broker_error_;
    Actions actions_;
};

}  // namespace lull::publisher::watch
