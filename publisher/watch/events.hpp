#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.hpp"
#include "core/crypto.hpp"
#include "core/log.hpp"
#include "schema/ids.hpp"

// Events and actions of a watched directory.

namespace lull::publisher::watch {

struct WatchTimes {
    Duration scan = std::chrono::seconds(60);              // between two looks at a tree that rests
    Duration settle = std::chrono::seconds(5);             // without a change, before a tree is released
    Duration restless = std::chrono::minutes(5);           // of changes, before they are reported
    Duration first_retry = std::chrono::seconds(5);        // after a failure; doubles each time
    Duration last_retry = std::chrono::minutes(10);        // the longest such time
    Duration last_broker_retry = std::chrono::minutes(1);  // the same while the broker cannot be reached
    bool operator==(WatchTimes const&) const = default;
};

// What the watcher released last of a software, or found to be released.
struct LastRelease {
    VersionName version;
    WallTime time;       // when the broker committed it
    Digest contents;     // contents_digest()
    Digest fingerprint;  // of the tree that has these contents
    bool operator==(LastRelease const&) const = default;
};

// What a look at a tree finds: two looks with the same fingerprint have seen the same tree.
struct TreeLook {
    Digest fingerprint;
    bool empty = false;
};

// How a publication ended.
namespace outcome {
struct Released {
    LastRelease release;
    Seq seq;
};
// The broker has a release with these contents.
struct Unchanged {
    LastRelease release;
};
// The tree changed while it was read or sent; nothing was released.
struct Changed {
    std::string text;
};
// What has to happen before another try: a change of the tree, time, or the broker's return.
enum class Remedy { change, time, broker };
struct Failed {
    Error error;
    Remedy remedy = Remedy::time;
};
struct Stopped {};
}  // namespace outcome
using Outcome =
    std::variant<outcome::Released, outcome::Unchanged, outcome::Changed, outcome::Failed, outcome::Stopped>;

// The number of one watched software: a directory that was removed and came back has another one.
using Ticket = std::uint64_t;

namespace event {
// The subdirectories, and the names of those that cannot be a software's, with the reason.
struct Listed {
    std::vector<SoftwareName> names;
    std::vector<std::string> invalid;
};
struct ListFailed {
    Error error;
};
// Subdirectories came, went or were replaced.
struct DirectoryChanged {};
// The kernel reports a change in this tree.
struct Changed {
    SoftwareName software;
};
// There may have been changes that the kernel did not report: in this tree (nothing: in all of them).
struct Unsure {
    std::optional<SoftwareName> software;
};
// Fault::cancelled: the tree changed during the look.
struct Looked {
    SoftwareName software;
    Ticket ticket = 0;
    Result<TreeLook> look;
};
struct Published {
    SoftwareName software;
    Ticket ticket = 0;
    Outcome outcome;
};
// It is time: see WatchList::wake().
struct Tick {};
}  // namespace event
using Event = std::variant<event::Listed, event::ListFailed, event::DirectoryChanged, event::Changed, event::Unsure,
                           event::Looked, event::Published, event::Tick>;

namespace action {
struct List {};
struct Look {
    SoftwareName software;
    Ticket ticket = 0;
};
// Publish the tree if it still has this fingerprint.
struct Publish {
    SoftwareName software;
    Ticket ticket = 0;
    Digest fingerprint;
    std::optional<LastRelease> last;
};
struct Report {
    LogLevel level = LogLevel::info;
    std::string text;
};
// Stop watching this tree: it is gone.
struct Forget {
    SoftwareName software;
};
}  // namespace action
using Action = std::variant<action::List, action::Look, action::Publish, action::Report, action::Forget>;
using Actions = std::vector<Action>;

// What `lull watch --status` shows of a software.
struct SoftwareStatus {
    SoftwareName software;
    std::optional<WallTime> last_look;
    std::optional<LastRelease> last;
    std::string waits_for;
    std::string error;  // the last one, until a publication succeeds; empty: none
    bool operator==(SoftwareStatus const&) const = default;
};

}  // namespace lull::publisher::watch
