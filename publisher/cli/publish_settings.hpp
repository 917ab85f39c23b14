#pragma once

#include <vector>

#include "publisher/cli/settings.hpp"
#include "publisher/cli/wait_options.hpp"
#include "publisher/release/tree_options.hpp"
#include "publisher/tree/stat_cache.hpp"

namespace lull::publisher {

// What `lull publish` publishes, how it reads and sends that, and what it waits for.
struct PublishSettings {
    Connection connection;
    fs::path path;
    BuildRequest build;
    TreeRules rules;
    TopDirectory top = TopDirectory::keep;
    CacheBelief belief = CacheBelief::unchanged_files;
    fs::path cache;  // directory
    Distribution distribution;
    Duration patience{};  // without progress of the upload
    Waiting waiting{};
    bool dry_run = false;
    std::vector<fs::path> against{};  // older trees to compare with; dry run only
    Output output = Output::text;
    bool operator==(PublishSettings const&) const = default;
};

// --arch, --start, ... of `lull publish`, beside those of common_options().
[[nodiscard]] std::vector<Option> publish_options();
// Fault::usage names the option. Nothing is read or sent.
[[nodiscard]] Result<PublishSettings> publish_settings(Arguments const& arguments);

// --cache and --timeout, also of `lull watch`.
[[nodiscard]] std::vector<Option> sending_options();
// The value of --timeout; Fault::usage.
[[nodiscard]] Result<Duration> timeout_of(Arguments const& arguments);

// To which release `lull rollback` returns, and how.
struct RollbackSettings {
    Connection connection;
    SoftwareName software;
    std::string version;  // empty: the release before
    DistributionChanges changes{};
    Waiting waiting;
    Output output = Output::text;
    bool operator==(RollbackSettings const&) const = default;
};

[[nodiscard]] std::vector<Option> rollback_options();
[[nodiscard]] Result<RollbackSettings> rollback_settings(Arguments const& arguments);

}  // namespace lull::publisher
