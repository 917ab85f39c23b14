#include <algorithm>

#include "core/clock.hpp"
#include "publisher/cli/commands.hpp"
#include "publisher/cli/publish_settings.hpp"
#include "publisher/client/older_release.hpp"
#include "publisher/client/publish_client.hpp"
#include "publisher/client/query.hpp"
#include "publisher/release/distribution.hpp"

// A rollback is a new entry of the log: the builds of an older release, signed anew, under a higher number. Nodes that
// still have the older release build it from their disk.

namespace lull::publisher {

namespace {

Result<std::vector<ReleaseRow>> releases_of(ClientOptions const& options, SoftwareName const& software) {
    Admin question;
    question.verb = AdminVerb::list;
    question.software = software;
    auto answer = request(options, question);
    if (!answer) return pass(answer.error());
    std::ranges::sort(answer->releases, {}, &ReleaseRow::seq);
    return std::move(answer->releases);
}

// Health check, hooks and programs are those of the older tree, and so is the rest that no option says.
Result<UpdateInfo> update_info_of(ReleaseRow const& older, ReleaseRow const& newest,
                                  DistributionChanges const& changes) {
    auto const before = update_info_in(older);
    if (!before) return pass(before.error());
    auto const distribution = changed(distribution_in(*before), changes);
    if (!distribution) return pass(distribution.error());
    UpdateInfo info;
    info.software = older.software;
    auto version = version_back_to(older.version, newest.seq.value);
    if (!version) return pass(version.error());
    info.version = std::move(*version);
    info.time = SystemClock().wall();
    info.builds = older.builds;
    distribute(*distribution, info);
    return info;
}

// Publishes the older release anew. The broker has its objects already.
Result<Committed> publish_again(ClientOptions const& options, UpdateInfo const& info, SigningKey const& key,
                                Progress& progress) {
    Publication publication;
    publication.offer = {info.software, info.version, info.builds};
    publication.update_info = seal(encode(info), domain::update_info, key);
    ClientProgress const sink{[](Bytes, Bytes) {},
                              [&](std::string const& text) { progress.say(fmt::format("lull: {}", text)); }};
    auto const nothing = [](Digest const& object) -> Result<Buffer> {
        return fail(Fault::not_found,
                    "cannot upload object {}: a rollback has no tree to read; publish the old tree with 'lull publish'",
                    object.hex());
    };
    return publish(options, std::move(publication), nothing, sink);
}

// What a node has to fetch that gave up the older release, because its room was needed. Less, if it compresses well.
Bytes most_to_fetch(ReleaseRow const& older) {
    Bytes most{};
    for (auto const& build : older.builds) most = std::max(most, build.size);
    return most;
}

Status rollback(Arguments const& arguments) {
    auto const settings = rollback_settings(arguments);
    if (!settings) return pass(settings.error());
    auto const broker = broker_of(settings->connection);
    if (!broker) return pass(broker.error());
    auto const identity = load_identity(settings->connection);
    if (!identity) return pass(identity.error());
    auto const options = client_options(*broker, *identity);
    auto const releases = releases_of(options, settings->software);
    if (!releases) return pass(releases.error());
    auto const older = older_release(*releases, settings->version);
    if (!older) return pass(older.error());
    auto const info = update_info_of(*older, releases->back(), settings->changes);
    if (!info) return pass(info.error());

    Progress progress(stderr, style_for(stderr));
    auto const committed = publish_again(options, *info, identity->secret.signing, progress);
    if (!committed) return pass(committed.error());
    auto const most = most_to_fetch(*older);
    auto const text = fmt::format(
        "{} returns to {}, published as {}; number {} in the broker's log\n"
        "nodes that no longer have {} fetch up to {}\n",
        info->software.text(), older->version.text(), info->version.text(), committed->seq.value, older->version.text(),
        to_text(most));
    Json json = {{"software", info->software.text()},
                 {"version", info->version.text()},
                 {"contents_of", older->version.text()},
                 {"most_to_fetch", most.count()},
                 {"seq", committed->seq.value}};
    return tell_and_wait(text, std::move(json), settings->output, [&](std::optional<ReleaseProgress>& last) {
        return wait_for(options, {info->software, info->version}, settings->waiting, progress, last);
    });
}

}  // namespace

Command rollback_command() {
    return {.name = "rollback",
            .summary = "publish an older release again, under a new number, for all nodes",
            .positional = {"SOFTWARE"},
            .options = rollback_options(),
            .example = "lull rollback kiosk-browser --to 1.4.1",
            .run = rollback};
}

}  // namespace lull::publisher
