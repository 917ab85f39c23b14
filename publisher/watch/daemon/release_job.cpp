#include "publisher/watch/daemon/release_job.hpp"

#include <algorithm>

#include "publisher/client/query.hpp"
#include "publisher/release/program_check.hpp"
#include "publisher/watch/daemon/tree_look.hpp"

namespace lull::publisher::watch {

namespace {

using outcome::Remedy;

// Whether the release that is in the log has the contents of this one.
bool has_contents(ReleaseRow const& row, Release const& release) {
    return std::ranges::any_of(row.builds, [&](Build const& build) {
        return build.manifest == release.manifest_digest || build.contents == release.contents;
    });
}

bool is_rollback(ReleaseRow const& row) { return contents_of(row.version) != row.version; }

class ReleaseJob {
public:
    ReleaseJob(action::Publish const& order, fs::path const& directory, Publisher const& publisher)
        : order_(order),
          directory_(directory),
          publisher_(publisher) {}

    Outcome run() {
        if (!is_unchanged()) return interrupted("changed before it was read");
        auto const prepared = prepare(order_.software, directory_, publisher_);
        if (!prepared) return failure(prepared.error(), Remedy::change);
        if (!is_unchanged()) return interrupted("changed while it was read");
        if (is_last(*prepared, order_.last)) return outcome::Unchanged{*order_.last};
        auto const releases = list_releases(publisher_.broker, order_.software);
        if (!releases) return failure(releases.error(), Remedy::time);
        auto const verdict = compare(*prepared, *releases);
        if (verdict.kind == Verdict::Kind::published)
            return outcome::Unchanged{{verdict.row->version, verdict.row->time, prepared->contents, {}}};
        if (verdict.kind == Verdict::Kind::conflict) return conflict(*prepared);
        return send(*prepared);
    }

private:
    [[nodiscard]] std::stop_token stop() const { return publisher_.broker.stop.value_or(std::stop_token()); }

    bool is_unchanged() const {
        auto const finding = look_at(directory_, nullptr, stop());
        return finding && finding->look.fingerprint == order_.fingerprint;
    }

    Outcome interrupted(std::string const& how) const {
        if (stop().stop_requested()) return outcome::Stopped{};
        return outcome::Changed{fmt::format("{}; nothing was released", how)};
    }

    // `of_refusal`: what helps when somebody says no; the tree's rules do it before a connection, the broker after.
    Outcome failure(Error const& error, Remedy of_refusal) const {
        if (stop().stop_requested()) return outcome::Stopped{};
        if (error.fault == Fault::unreachable) return outcome::Failed{error, Remedy::broker};
        if (!is_unchanged()) return interrupted(fmt::format("changed or vanished ({})", error.message));
        bool const refusal = error.fault == Fault::usage || error.fault == Fault::refused;
        return outcome::Failed{error, refusal ? of_refusal : Remedy::time};
    }

    Outcome conflict(Prepared const& prepared) const {
        auto const& [version, kind, source] = prepared.version;
        if (kind == ChosenVersion::Kind::time_stamp)
            return outcome::Failed{{Fault::failed, "another release has the same time stamp"}, Remedy::time};
        return outcome::Failed{{Fault::refused, fmt::format("version {} (from {}) is already published with other "
                                                            "contents; choose another version",
                                                            version.text(), source)},
                               Remedy::change};
    }

    Outcome send(Prepared const& prepared) const {
        auto const update_info = seal_update_info(prepared.release, prepared.options.distribution, SystemClock().wall(),
                                                  publisher_.key);
        ClientProgress const silent{[](Bytes, Bytes) {}, [](std::string const&) {}};
        auto const committed = publish(publisher_.broker, prepared.release, update_info, silent);
        if (!committed) return failure(committed.error(), Remedy::time);
        return outcome::Released{{committed->version, committed->time, prepared.contents, {}}, committed->seq};
    }

    action::Publish const& order_;
    fs::path const& directory_;
    Publisher const& publisher_;
};

}  // namespace

Result<Prepared> prepare(SoftwareName const& software, fs::path const& directory, Publisher const& publisher) {
    auto file = read_tree_file(directory);
    if (!file) return pass(file.error());
    auto options = tree_options_of(*file);
    if (!options)
        return fail(options.error().fault, "{}: {}", (directory / options_file).string(), options.error().message);
    auto const stop = publisher.broker.stop.value_or(std::stop_token());
    auto version = choose_version(directory, SystemClock().wall(), stop);
    if (!version) return pass(version.error());
    auto const tree = open_source(directory, TopDirectory::keep, options->rules());
    if (!tree) return pass(tree.error());
    if (tree->root != directory)
        return fail(Fault::refused, "{} leads through a symbolic link; the watcher follows none", directory.string());
    auto cache = StatCache::load(publisher.cache, tree->root, CacheBelief::unchanged_files);
    auto const request = options->request_for(software, version->version);
    auto release = build_release(*tree, request, publisher.key, cache, ReadingProgress([](Bytes, Bytes) {}, stop));
    if (!release) return pass(release.error());
    if (auto runs = check_programs(*release, options->distribution); !runs) return pass(runs.error());
    (void)cache.save();  // a cache that cannot be written costs time, not the release
    auto const contents = contents_digest(release->manifest);
    return Prepared{std::move(*release), std::move(*version), std::move(*options), std::move(*file), contents};
}

bool is_last(Prepared const& prepared, std::optional<LastRelease> const& last) {
    if (!last || last->contents != prepared.contents) return false;
    return prepared.version.kind == ChosenVersion::Kind::time_stamp || last->version == prepared.version.version;
}

Verdict compare(Prepared const& prepared, std::vector<ReleaseRow> const& releases) {
    auto const& release = prepared.release;
    auto const same = std::ranges::find(releases, release.manifest.version, &ReleaseRow::version);
    if (same != releases.end()) {
        bool const equal = has_contents(*same, release);
        return {equal ? Verdict::Kind::published : Verdict::Kind::conflict, *same};
    }
    if (prepared.version.kind == ChosenVersion::Kind::named) return {};
    auto const newest = std::find_if_not(releases.rbegin(), releases.rend(), is_rollback);
    if (newest == releases.rend()) return {};
    if (!has_contents(*newest, release)) return {};
    return {Verdict::Kind::published, *newest};
}

Outcome release(action::Publish const& order, fs::path const& directory, Publisher const& publisher) {
    return ReleaseJob(order, directory, publisher).run();
}

}  // namespace lull::publisher::watch
