#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/crypto.hpp"
#include "core/files.hpp"
#include "subscriber/model/release_id.hpp"

// Where everything lies on a node:
//
//   ROOT/SOFTWARE/versions/SEQ-VERSION/...             immutable tree
//   ROOT/SOFTWARE/versions/.staging-SEQ/               while it is being built
//   ROOT/SOFTWARE/versions/.garbage-SEQ-VERSION/       while it is being deleted
//   ROOT/SOFTWARE/versions/.mending                    one path of a tree, while it is being made anew
//   ROOT/SOFTWARE/releases/SEQ-VERSION.manifest        encoded signed envelope, 0644
//   ROOT/SOFTWARE/releases/SEQ-VERSION.seen            what its files looked like when they were read last, 0644
//   ROOT/SOFTWARE/locks/SEQ-VERSION                    lock file, 0644; there as long as the version is
//   ROOT/SOFTWARE/current -> versions/SEQ-VERSION
//   ROOT/SOFTWARE/restarting                           processes that are being ended for an update, 0644
//   ROOT/.calls/SOFTWARE/...                           the same for trees of calls, 0711: their users pass through it
//   ROOT/.lull/                                        0700: journal/, incoming/, holds/, node.json, starts

namespace lull::subscriber {

// The paths of a node below its root. Holds no state: what it reads, it reads from disk each time.
class Layout {
public:
    // A relative root counts from the working directory at this moment.
    explicit Layout(fs::path const& root);

    [[nodiscard]] fs::path const& root() const { return root_; }
    [[nodiscard]] fs::path secret() const { return secret_; }
    [[nodiscard]] fs::path journal() const { return secret() / "journal"; }
    [[nodiscard]] fs::path incoming() const { return secret() / "incoming"; }
    [[nodiscard]] fs::path holds() const { return secret() / "holds"; }
    // Trees for the calls of other nodes, with all below as it is here; what is secret lies in one place.
    [[nodiscard]] Layout for_calls() const;
    [[nodiscard]] fs::path call_socket() const { return root_ / ".call" / "socket"; }
    [[nodiscard]] fs::path join_bundle() const { return secret() / "node.json"; }

    [[nodiscard]] fs::path software(SoftwareName const& name) const { return root_ / name.text(); }
    [[nodiscard]] fs::path versions(SoftwareName const& name) const { return software(name) / "versions"; }
    [[nodiscard]] fs::path releases(SoftwareName const& name) const { return software(name) / "releases"; }
    [[nodiscard]] fs::path locks(SoftwareName const& name) const { return software(name) / "locks"; }
    [[nodiscard]] fs::path current_link(SoftwareName const& name) const { return software(name) / "current"; }

    // What programs write that is to survive updates; made with the first release (prepare_data).
    [[nodiscard]] fs::path data(SoftwareName const& name) const { return software(name) / "data"; }
    // What was found in trees and is no part of a release.
    [[nodiscard]] fs::path lost(SoftwareName const& name) const { return software(name) / "lost+found"; }

    // What is to become `current`, until it is renamed.
    [[nodiscard]] fs::path fresh_link(SoftwareName const& name) const { return software(name) / ".current-new"; }

    [[nodiscard]] fs::path restarting(SoftwareName const& name) const { return software(name) / "restarting"; }

    [[nodiscard]] fs::path tree(ReleaseId const& release) const;
    [[nodiscard]] fs::path staging(ReleaseId const& release) const;
    [[nodiscard]] fs::path garbage(ReleaseId const& release) const;
    [[nodiscard]] fs::path repairing(SoftwareName const& name) const { return versions(name) / ".repairing"; }
    [[nodiscard]] fs::path manifest(ReleaseId const& release) const;
    [[nodiscard]] fs::path marks(ReleaseId const& release) const;
    [[nodiscard]] fs::path lock(ReleaseId const& release) const;

    // Makes ROOT (0755) and ROOT/.lull (0700) with journal/, incoming/ and holds/; Fault::refused if .lull is open to
    // others.
    [[nodiscard]] Status prepare() const;
    // Makes the directories of one software (0755), durably.
    [[nodiscard]] Status prepare(SoftwareName const& name) const;

    // Makes the data directory of a software, for this process's user and with exactly this mode. One that is there
    // stays as it is: the node's owner may have changed it, or put a link to another disk there. Trees of calls have
    // none.
    [[nodiscard]] Status prepare_data(SoftwareName const& name, mode_t mode) const;

    // The release that `current` points to; nothing if there is no such link. Fault::damaged unless it is a
    // symbolic link to exactly versions/SEQ-VERSION. Says nothing about whether that version exists.
    [[nodiscard]] Result<std::optional<ReleaseId>> current(SoftwareName const& name) const;

    // The versions that are there, in order of seq; entries with other names are passed over.
    [[nodiscard]] Result<std::vector<ReleaseId>> installed(SoftwareName const& name) const;
    // The names of software that have a directory here, sorted.
    [[nodiscard]] Result<std::vector<SoftwareName>> known_software() const;

private:
    fs::path root_;
    fs::path secret_;
};

// Whether the path has an entry of any kind; a link counts, wherever it leads.
[[nodiscard]] bool is_there(fs::path const& path);

// The names in a directory, sorted; none if it does not exist.
[[nodiscard]] Result<std::vector<std::string>> names_in(fs::path const& directory);

}  // namespace lull::subscriber
