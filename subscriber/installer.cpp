#include "subscriber/installer.hpp"

#include <algorithm>

#include "schema/limits.hpp"
#include "store/compression.hpp"
#include "subscriber/activator.hpp"
#include "subscriber/manifest_files.hpp"
#include "subscriber/stager.hpp"

namespace lull::subscriber {

namespace {

// An installed release serves as a source if its manifest can be read; if not, everything is fetched.
std::optional<ReleaseId> usable_seed(Layout const& layout, std::optional<ReleaseId> const& seed) {
    if (!seed || !load_manifest(layout, *seed)) return std::nullopt;
    return seed;
}

// What is to be fetched lies on the disk beside the tree that is made of it.
Status check_room(Layout const& layout, Manifest const& manifest, Plan const& plan, Bytes reserve) {
    auto const space = free_space(layout.root());
    if (!space) return pass(space.error());
    Bytes needed = manifest.content_size() + reserve;
    for (auto const& segment : plan.segments) needed += segment.size;
    if (needed <= space->bytes) return {};
    return fail(Fault::no_space, "no room for {} {} in {}: {} may be needed, {} are free; make room, it is tried again by itself",
                manifest.software.text(), manifest.version.text(), layout.root().string(), to_text(needed), to_text(space->bytes));
}

}  // namespace

Installer::Installer(EventLoop& loop, Layout const& layout, InstallerSettings settings, TreeAccess& access, Tell tell)
    : layout_(layout), settings_(std::move(settings)), access_(access), tell_(std::move(tell)), worker_(loop, 1) {}

Result<Installer::OpenedManifest> Installer::open(Digest const& digest, std::map<Digest, ObjectShape> const& objects) const {
    auto const shape = objects.find(digest);
    if (shape == objects.end()) return fail(Fault::damaged, "the manifest {} is not here", digest.hex());
    auto const stored = ObjectFiles(layout_.incoming()).read(digest, limits::stored_object);
    if (!stored) return fail(Fault::damaged, "the manifest is damaged: {}", stored.error().message);
    auto envelope = store::unpack_object(shape->second, *stored, limits::envelope);
    if (!envelope) return pass(std::move(envelope.error()));
    auto manifest = open_manifest(*envelope, digest, settings_.trusted);
    if (!manifest) return pass(std::move(manifest.error()));
    return OpenedManifest{std::move(*envelope), std::move(*manifest)};
}

Result<Plan> Installer::make_plan(MakePlan const& order) const {
    auto const opened = open(order.manifest, order.objects);
    if (!opened) return pass(opened.error());
    auto const& manifest = opened->manifest;
    if (manifest.software != order.release.software || manifest.version != order.release.version) {
        return fail(Fault::refused, "the manifest is that of {} {}, not of {} {}", manifest.software.text(), manifest.version.text(),
                    order.release.software.text(), order.release.version.text());
    }
    std::optional<Manifest> seed;
    if (auto const usable = usable_seed(layout_, order.seed)) {
        if (auto loaded = load_manifest(layout_, *usable)) seed = std::move(*loaded);
    }
    Plan plan;
    for (auto const index : wanted_segments(manifest, seed)) plan.segments.push_back(manifest.segments[index]);
    if (auto room = check_room(layout_, manifest, plan, settings_.reserve); !room) return pass(room.error());
    return plan;
}

StageEnded Installer::make_tree(StageRelease const& order) const {
    auto opened = open(order.manifest, order.objects);
    if (!opened) return {order.release, pass(opened.error()), {{order.manifest, Bytes()}}};
    auto const turn = access_.take();
    if (auto prepared = layout_.prepare(order.release.software); !prepared) return {order.release, prepared, {}};
    ObjectFiles files(layout_.incoming());
    StageJob job{order.release, std::move(opened->manifest), std::move(opened->envelope), order.objects,
                 usable_seed(layout_, order.seed)};
    auto staged = lull::subscriber::stage(job, layout_, files, settings_.reserve);
    if (staged) return {order.release, {}, {}};
    auto const& failure = staged.error();
    auto const named = [&](Digest const& digest) { return std::ranges::find(failure.damaged, digest) != failure.damaged.end() ||
                                                          std::ranges::find(failure.missing, digest) != failure.missing.end(); };
    StageEnded ended{order.release, pass(failure.error), {}};
    std::ranges::copy_if(job.manifest.segments, std::back_inserter(ended.refetch), named, &Segment::digest);
    return ended;
}

// The signature is asked for once more: what lay staged for weeks is trusted no more than what came just now.
Status Installer::make_current(ReleaseId const& release) const {
    auto const manifest = load_manifest(layout_, release, settings_.trusted);
    if (!manifest) return fail(Fault::not_found, "{}", manifest.error().message);
    auto const turn = access_.take();
    return switch_current(layout_, release);
}

void Installer::plan(MakePlan const& order) {
    worker_.submit([this, order] { return make_plan(order); },
                   [this, release = order.release](Result<Plan> plan) { tell_(PlanMade{release, std::move(plan)}); });
}

void Installer::stage(StageRelease const& order) {
    worker_.submit([this, order] { return make_tree(order); }, [this](StageEnded ended) { tell_(std::move(ended)); });
}

void Installer::switch_to(SwitchCurrent const& order, std::function<void()> afterwards) {
    worker_.submit([this, release = order.release] { return make_current(release); },
                   [this, release = order.release, afterwards = std::move(afterwards)](Status status) {
                       afterwards();
                       tell_(SwitchEnded{release, std::move(status)});
                   });
}

void Installer::point_back(PointBack const& order, Log& log) {
    worker_.submit([this, release = order.release] { return make_current(release); },
                   [&log, release = order.release](Status const& status) {
                       if (!status) log.warn("`current` of {} points elsewhere: {}", release.software.text(), status.error().message);
                   });
}

void Installer::remove(RemoveVersions const& order, Log& log) {
    worker_.submit(
        [this, order] {
            auto const turn = access_.take();
            return remove_superseded(layout_, order.software, order.keep);
        },
                   [&log](Result<std::vector<ReleaseId>> removed) {
                       if (!removed) return log.warn("old versions stay: {}", removed.error().message);
                       for (auto const& release : *removed) {
                           log.info("removed {} {}", release.software.text(), release.directory_name());
                       }
                   });
}

}  // namespace lull::subscriber
