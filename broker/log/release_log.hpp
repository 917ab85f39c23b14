#pragma once

#include <map>
#include <optional>
#include <vector>

#include "broker/log/log_identity.hpp"
#include "schema/update_info.hpp"

namespace lull::broker {

// A release with its place in the log.
struct Release {
    LogEntry entry;
    UpdateInfo info;
};

// The durable, numbered log of update-infos, and the releases by name. A new entry is reserved first, shown to nobody,
// and joins the log only when it is durable. Numbers rise; there are gaps where superseded releases were removed, and
// where the log went on under a new identity. Kept in the table `log` (seq -> LogEntry); the identity in `meta`.
class ReleaseLog {
public:
    static constexpr char const* table = "log";

    explicit ReleaseLog(LogIdentity identity) : identity_(identity) {}

    // Takes the next record of the table, in order. Fault::damaged if it is none or does not follow the one before.
    [[nodiscard]] Status load(View key, View value);

    [[nodiscard]] LogIdentity const& identity() const { return identity_; }
    [[nodiscard]] Epoch epoch() const { return identity_.epoch; }
    [[nodiscard]] Seq head() const { return log_.empty() ? Seq{} : log_.back().entry.seq; }

    [[nodiscard]] Release const* find(SoftwareName const& software, VersionName const& version) const;
    [[nodiscard]] Release const* newest(SoftwareName const& software) const;
    [[nodiscard]] Release const* at(Seq seq) const;
    [[nodiscard]] std::vector<Release> const& log() const { return log_; }
    // Every software that has a release, by name, with the position of its newest one in log().
    [[nodiscard]] std::map<SoftwareName, std::size_t> const& software() const { return newest_; }

    // Every software that has had a release since the start has a number, which stays.
    [[nodiscard]] std::uint32_t number_of(SoftwareName const& software) const { return numbers_.at(software); }
    [[nodiscard]] std::optional<SoftwareName> numbered(std::uint32_t number) const;

    // Whether a release in the log has a build with this manifest; whether the newest one of its software has.
    [[nodiscard]] bool names(Digest const& manifest) const { return manifests_.contains(manifest); }
    [[nodiscard]] bool is_newest(Digest const& manifest) const;

    // At most `most` entries after `cursor`, and at most `bytes` of payload (but one at least, if there is one).
    [[nodiscard]] std::vector<LogEntry> page_after(Seq cursor, std::size_t most, Bytes bytes) const;

    // The newest release of each software behind this name, by name, within the same bounds.
    struct NewestPage {
        std::vector<LogEntry> entries;
        std::optional<SoftwareName> rest;  // behind this name there is more
    };
    [[nodiscard]] NewestPage newest_after(std::optional<SoftwareName> const& name, std::size_t most, Bytes bytes) const;

    // Releases that at least `keep` newer ones of their software supersede.
    [[nodiscard]] std::vector<Release const*> superseded(std::size_t keep) const;
    // What makes the log forget these entries, and what does so in memory, once that is durable.
    [[nodiscard]] store::Batch removal(std::vector<Seq> const& entries) const;
    void remove(std::vector<Seq> const& entries);

    // Goes on under another identity, which is durable. Nothing may be reserved.
    void adopt(LogIdentity const& identity);

    // The entry that this update-info would become. One at a time: confirm() or abandon() it before the next.
    [[nodiscard]] LogEntry reserve(Envelope update, UpdateInfo info, WallTime now);
    [[nodiscard]] bool reserved() const { return pending_.has_value(); }
    [[nodiscard]] static store::Change change(LogEntry const& entry);
    Release const& confirm();
    void abandon() { pending_.reset(); }

private:
    [[nodiscard]] bool follows(LogEntry const& entry) const;
    void append(Release release);
    void index();

    LogIdentity identity_;
    std::vector<Release> log_;  // by seq
    std::map<SoftwareName, std::size_t> newest_;
    std::map<std::pair<SoftwareName, VersionName>, std::size_t> by_version_;
    std::map<SoftwareName, std::uint32_t> numbers_;
    std::vector<SoftwareName> numbered_;
    std::map<Digest, SoftwareName> manifests_;  // of all builds; a manifest names its software
    std::optional<Release> pending_;
};

}  // namespace lull::broker
