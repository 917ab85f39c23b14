#pragma once

#include <map>
#include <optional>
#include <vector>

#include "schema/update_info.hpp"
#include "store/environment.hpp"

namespace lull::broker {

// A release with its place in the log.
struct Release {
    LogEntry entry;
    UpdateInfo info;
};

// The durable, numbered log of update-infos, and the releases by name. A new entry is reserved first, shown to nobody, and
// joins the log only when it is durable. Kept in the table `log` (seq -> LogEntry); the epoch in `meta`.
class Catalogue {
public:
    static constexpr char const* table = "log";

    explicit Catalogue(Epoch epoch) : epoch_(epoch) {}

    // Takes the next record of the table, in order. Fault::damaged if it is none or does not follow the one before.
    [[nodiscard]] Status load(View key, View value);

    [[nodiscard]] Epoch epoch() const { return epoch_; }
    [[nodiscard]] Seq head() const { return log_.empty() ? Seq{} : log_.back().entry.seq; }

    [[nodiscard]] Release const* find(SoftwareName const& software, VersionName const& version) const;
    [[nodiscard]] Release const* newest(SoftwareName const& software) const;
    [[nodiscard]] Release const* at(Seq seq) const;
    [[nodiscard]] std::vector<Release> const& log() const { return log_; }
    // Every software that has a release, by name, with the position of its newest one in log().
    [[nodiscard]] std::map<SoftwareName, std::size_t> const& software() const { return newest_; }

    // At most `most` entries after `cursor`, and at most `bytes` of payload (but one at least, if there is one).
    [[nodiscard]] std::vector<LogEntry> page_after(Seq cursor, std::size_t most, Bytes bytes) const;

    // The entry that this update-info would become. One at a time: confirm() or abandon() it before the next.
    [[nodiscard]] LogEntry reserve(Envelope update, UpdateInfo info, WallTime now);
    [[nodiscard]] bool reserved() const { return pending_.has_value(); }
    [[nodiscard]] static store::Change change(LogEntry const& entry);
    Release const& confirm();
    void abandon() { pending_.reset(); }

private:
    void append(Release release);

    Epoch epoch_;
    std::vector<Release> log_;  // log_[i] has seq i + 1
    std::map<SoftwareName, std::size_t> newest_;
    std::map<std::pair<SoftwareName, VersionName>, std::size_t> by_version_;
    std::optional<Release> pending_;
};

}  // namespace lull::broker
