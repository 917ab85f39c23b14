#include "subscriber/installer.hpp"

#include <algorithm>

#include "schema/limits.hpp"
#include "store/compression.hpp"
#include "subscriber/activator.hpp"
#include "subscriber/manifest_files.hpp"
#include "subscriber/stager.hpp"

namespace lull::subscriber {

namespace {

constexpr Bytes without_work = MiB(14);  // what this process takes beside the segment that it works on

// What is to be fetched lies on the disk beside the tree that is made of it.
Status check_room(Layout const& layout, Manifest const& manifest, Plan const& plan, Bytes reserve) {
    auto const space = free_space(layout.root());
    if (!space) return pass(space.error());
    Bytes needed = manifest.content_size() + reserve;
    for (auto const& object : plan.objects) needed += object.size;
    if (needed <= space->bytes) return {};
    return fail(Fault::no_space, "no room for {} {} in {}: {} may be needed, {} are free; make room, it is tried again by itself",
                manifest.software.text(), manifest.version.text(), layout.root().string(), to_text(needed), to_text(space->bytes));
}

}  // namespace

Installer::Installer(EventLoop& loop, Layout const& layout, InstallerSettings settings, TreeAccess& access, Tell tell)
    : layout_(layout), settings_(std::move(settings)), access_(access), tell_(std::move(tell)), worker_(loop, 1) {}

Result<Buffer> Installer::read_manifest(Digest const& digest, Materials const& materials, ObjectFiles const& files) {
    auto const shape = materials.objects.find(digest);
    if (shape == materials.objects.end()) return fail(Fault::damaged, "the manifest {} is not here", digest.hex());
    auto const stored = files.read(digest, limits::stored_object);
    if (!stored) return fail(Fault::damaged, "the manifest is damaged: {}", stored.error().message);
    return store::unpack_object(shape->second, *stored, limits::envelope);
}

// An installed release that cannot be used is no failure: then everything is fetched.
Result<Installer::Opened> Installer::open(Materials const& materials) const {
    ObjectFiles const files(layout_.incoming());
    Opened opened;
    auto seed = materials.seed ? Seed::open(layout_, *materials.seed) : Result<Seed>(fail(Fault::not_found, "nothing is installed"));
    if (materials.patch) {
        if (!seed) return fail(Fault::damaged, "the patch cannot be used: {}", seed.error().message);
        auto const shape = materials.objects.find(*materials.patch);
        if (shape == materials.objects.end()) return fail(Fault::damaged, "the patch {} is not here", materials.patch->hex());
        auto patched = Patched::open(shape->second, files, std::move(*seed));
        if (!patched) return pass(patched.error());
        opened.patched = std::move(*patched);
    } else if (seed) {
        opened.unpatched = std::move(*seed);
    }
    bool const same = opened.unpatched && sha256(opened.unpatched->manifest_object()) == materials.manifest;
    auto envelope = same             ? Result<Buffer>(to_buffer(opened.unpatched->manifest_object()))
                    : opened.patched ? opened.patched->manifest_object() : read_manifest(materials.manifest, materials, files);
    if (!envelope) return pass(envelope.error());
    auto manifest = open_manifest(*envelope, materials.manifest, settings_.trusted);
    if (!manifest) return pass(manifest.error());
    opened.envelope = std::move(*envelope);
    opened.manifest = std::move(*manifest);
    return opened;
}

// Deltas that take more memory than there is are left aside: a segment takes less.
bool Installer::is_worth_it(Patched const& patched, Step const& step, Segment const& segment) const {
    auto const memory = patched.memory_for(step, segment);
    return memory && *memory + without_work <= settings_.memory;
}

Plan Installer::choose(Opened const& opened, std::set<Digest> const& useless) const {
    Plan plan;
    auto const* const seed = opened.seed();
    auto const wanted = wanted_segments(opened.manifest, seed == nullptr ? nullptr : &seed->manifest());
    Bytes to_fetch{};
    bool all_known = opened.patched.has_value();
    for (auto const index : wanted) {
        auto const& segment = opened.manifest.segments[index];
        auto const* const step = opened.patched ? opened.patched->step_for(index) : nullptr;
        all_known = all_known && step != nullptr;
        bool const by_delta = step != nullptr && is_delta(*step, opened.manifest) && !(step->object && useless.contains(*step->object)) &&
                              is_worth_it(*opened.patched, *step, segment);
        if (!by_delta) {
            all_known = all_known && !is_delta(*step, opened.manifest);
            plan.objects.push_back(segment);
        } else if (step->object) {
            plan.objects.push_back({*step->object, step->size});
        }
        if (step != nullptr) to_fetch += step->size;
    }
    if (all_known) plan.to_fetch = to_fetch;
    return plan;
}

Result<Plan> Installer::make_plan(MakePlan const& order) const {
    auto const& release = order.materials.release;
    auto const opened = open(order.materials);
    if (!opened) return pass(opened.error());
    auto const& manifest = opened->manifest;
    if (!belongs_to(manifest, release.software, release.version)) {
        return fail(Fault::refused, "the manifest is that of {} {}, not of {} {}", manifest.software.text(), manifest.version.text(),
                    release.software.text(), release.version.text());
    }
    auto plan = choose(*opened, order.useless);
    if (auto room = check_room(layout_, manifest, plan, settings_.reserve); !room) return pass(room.error());
    return plan;
}

StageEnded Installer::make_tree(Materials const& materials) const {
    auto opened = open(materials);
    if (!opened) return {materials.release, pass(opened.error()), {{materials.manifest, Bytes()}}};
    auto const turn = access_.take();
    if (auto prepared = layout_.prepare(materials.release.software); !prepared) return {materials.release, prepared, {}};
    ObjectFiles files(layout_.incoming());
    StageJob const job{materials.release, std::move(opened->manifest), std::move(opened->envelope), materials.objects, opened->seed(),
                       opened->patched ? &*opened->patched : nullptr};
    auto staged = lull::subscriber::stage(job, layout_, files, settings_.reserve);
    if (staged) return {materials.release, {}, {}};
    auto const& failure = staged.error();
    auto const named = [&](Digest const& digest) { return std::ranges::find(failure.damaged, digest) != failure.damaged.end() ||
                                                          std::ranges::find(failure.missing, digest) != failure.missing.end(); };
    StageEnded ended{materials.release, pass(failure.error), {}};
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
                   [this, release = order.materials.release](Result<Plan> plan) { tell_(PlanMade{release, std::move(plan)}); });
}

void Installer::stage(StageRelease const& order) {
    worker_.submit([this, order] { return make_tree(order.materials); }, [this](StageEnded ended) { tell_(std::move(ended)); });
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
