#include <algorithm>

#include "core/clock.hpp"
#include "publisher/commands.hpp"
#include "publisher/distribution.hpp"
#include "publisher/older_release.hpp"
#include "publisher/settings.hpp"
#include "publisher/wait_options.hpp"

// Going back is a step forward in the log: an older release's builds, signed anew, under a higher number. Nodes that still have the older
// one build it from there.

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

Result<UpdateInfo> update_info_of(ReleaseRow const& older, ReleaseRow const& newest, Arguments const& arguments) {
    UpdateInfo info;
    info.software = older.software;
    auto version = version_back_to(older.version, newest.seq.value);
    if (!version) return pass(version.error());
    info.version = std::move(*version);
    info.time = SystemClock().wall();
    info.builds = older.builds;
    auto const distribution = distribution_of(arguments);
    if (!distribution) return pass(distribution.error());
    distribute(*distribution, info);
    return info;
}

Status rollback(Arguments const& arguments) {
    auto const software = SoftwareName::parse(arguments.positional().front());
    if (!software) return pass(software.error());
    auto const waiting = waiting_of(arguments);
    if (!waiting) return pass(waiting.error());
    auto const broker = broker_of(arguments);
    if (!broker) return pass(broker.error());
    auto const identity = load_identity(arguments);
    if (!identity) return pass(identity.error());
    auto const options = client_options(*broker, *identity);
    auto const releases = releases_of(options, *software);
    if (!releases) return pass(releases.error());
    auto const older = older_release(*releases, arguments.text("to"));
    if (!older) return pass(older.error());
    auto const info = update_info_of(*older, releases->back(), arguments);
    if (!info) return pass(info.error());

    Publication publication;
    publication.offer = {info->software, info->version, info->builds};
    publication.update_info = seal(encode(*info), domain::update_info, identity->secret.signing);
    Progress progress(stderr, style_for(stderr));
    ClientProgress const sink{[](Bytes, Bytes) {}, [&](std::string const& text) { progress.say(fmt::format("lull: {}", text)); }};
    auto const nothing = [](Digest const&) -> Result<Buffer> { return fail(Fault::not_found, "there is no tree to read from"); };
    auto const committed = publish(options, std::move(publication), nothing, sink);
    if (!committed) return pass(committed.error());
    auto const text = fmt::format("{} goes back to {}, as {}; number {} in the broker's log\n", info->software.text(), older->version.text(),
                                  info->version.text(), committed->seq.value);
    Json json = {{"software", info->software.text()}, {"version", info->version.text()}, {"contents_of", older->version.text()},
                 {"seq", committed->seq.value}};
    return tell_and_wait(text, std::move(json), arguments, [&](std::optional<ReleaseProgress>& last) {
        return wait_for(options, {info->software, info->version}, *waiting, progress, last);
    });
}

}  // namespace

Command rollback_command() {
    std::vector<Option> options = {{.name = "to", .help = "the version to go back to (default: the one before)", .placeholder = "VERSION"}};
    for (auto& option : distribution_options()) options.push_back(std::move(option));
    for (auto& option : wait_options()) options.push_back(std::move(option));
    options.push_back({.name = "json", .help = "print JSON"});
    return {.name = "rollback",
            .summary = "bring an older release back on all nodes, under a new number",
            .positional = {"SOFTWARE"},
            .options = std::move(options),
            .example = "lull rollback kiosk-browser --to 1.4.1",
            .run = rollback};
}

}  // namespace lull::publisher
