#pragma once

#include "publisher/client/publish_client.hpp"
#include "publisher/release/tree_options.hpp"
#include "publisher/watch/daemon/version_rule.hpp"
#include "publisher/watch/events.hpp"
#include "schema/messages.hpp"

namespace lull::publisher::watch {

// What all publications of a watcher share.
struct Publisher {
    ClientOptions broker;   // its stop token ends what runs
    SigningKey const& key;  // outlives the jobs
    fs::path cache;         // directory
};

// A release that is built and not sent yet.
struct Prepared {
    Release release;
    ChosenVersion version;
    TreeOptions options;
    Arguments file;  // lull.conf
    Digest contents;
};

// Reads lull.conf, chooses the version, and builds the release. Fault::usage and Fault::refused: only a change of the
// tree helps.
[[nodiscard]] Result<Prepared> prepare(SoftwareName const& software, fs::path const& directory,
                                       Publisher const& publisher);

// What the broker's releases say about a release.
struct Verdict {
    enum class Kind { new_release, published, conflict };
    Kind kind = Kind::new_release;
    std::optional<ReleaseRow> row;  // the release with the same contents, or with the same version and other contents
};

// `releases`: of this software, by number. A version of a name is compared with the release of that version. A time
// stamp is compared with the newest release that is not a rollback.
[[nodiscard]] Verdict compare(Prepared const& prepared, std::vector<ReleaseRow> const& releases);

// Whether these contents were released last, as far as the watcher remembers.
[[nodiscard]] bool is_last(Prepared const& prepared, std::optional<LastRelease> const& last);

// Publishes the tree of an action, unless it changes or the broker has its contents.
[[nodiscard]] Outcome release(action::Publish const& order, fs::path const& directory, Publisher const& publisher);

}  // namespace lull::publisher::watch
