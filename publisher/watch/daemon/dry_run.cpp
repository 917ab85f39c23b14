#include "publisher/watch/daemon/dry_run.hpp"

#include "publisher/client/query.hpp"

namespace lull::publisher::watch {

namespace {

std::string size_of(Release const& release) {
    return fmt::format("{} files, {}", release.manifest.file_count(), to_text(release.manifest.content_size()));
}

Result<std::string> action_for(Prepared const& prepared, Publisher const& publisher) {
    auto const& release = prepared.release;
    auto const publish = fmt::format("publish it for {} ({})", release.manifest.architecture.text(), size_of(release));
    if (publisher.broker.broker == BrokerAddress{}) return publish + ", unless the broker has it: no broker is named";
    auto const releases = list_releases(publisher.broker, release.manifest.software);
    if (!releases) return publish + fmt::format(", unless the broker has it: {}", releases.error().message);
    auto const verdict = compare(prepared, *releases);
    switch (verdict.kind) {
        case Verdict::Kind::new_release: return publish;
        case Verdict::Kind::published:
            return fmt::format("nothing: the broker has these contents as {}", verdict.row->version.text());
        case Verdict::Kind::conflict: break;
    }
    return fail(Fault::refused, "version {} is already published with other contents", prepared.version.version.text());
}

}  // namespace

DryRun dry_run(SoftwareName const& software, fs::path const& directory, Publisher const& publisher) {
    DryRun run;
    run.software = software.text();
    auto const prepared = prepare(software, directory, publisher);
    if (!prepared) {
        run.error = prepared.error().message;
        return run;
    }
    run.version = prepared->version.version.text();
    run.source = prepared->version.source;
    for (auto const& name : prepared->file.given()) run.options.emplace(name, prepared->file.all(name));
    auto const action = action_for(*prepared, publisher);
    if (action) {
        run.action = *action;
    } else {
        run.error = action.error().message;
    }
    return run;
}

}  // namespace lull::publisher::watch
