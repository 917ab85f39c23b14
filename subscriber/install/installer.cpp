#include "subscriber/install/installer.hpp"

#include <algorithm>
#include <thread>

#include "schema/limits.hpp"
#include "subscriber/disk/manifest_files.hpp"
#include "subscriber/install/leftovers.hpp"
#include "subscriber/install/planner.hpp"
#include "subscriber/install/stager.hpp"
#include "subscriber/install/switch_current.hpp"

namespace lull::subscriber {

namespace {

constexpr Duration kept_for = std::chrono::seconds(10);  // what a plan opened, while its objects are fetched
constexpr std::size_t most_kept = 100'000;               // paths of all manifests together

tl::unexpected<Error> cancelled(char const* what, ReleaseId const& release) {
    return fail(Fault::cancelled, "{} {} {} was cancelled", what, release.software.text(), release.version.text());
}

ReadStep until(std::stop_token const& stop) {
    return [stop](Bytes) { return !stop.stop_requested(); };
}
bool same_sources(Materials const& a, Materials const& b) {
    return a.release == b.release && a.manifest == b.manifest && a.seed == b.seed && a.patch == b.patch;
}

}  // namespace

Installer::Installer(EventLoop& loop, Layout const& layout, InstallerSettings settings, TreeAccess& access, Tell tell)
    : loop_(loop),
      layout_(layout),
      settings_(std::move(settings)),
      access_(access),
      tell_(std::move(tell)),
      memory_(settings_.memory - std::min(settings_.memory, memory_beside_segments)),
      jobs_(loop, std::thread::hardware_concurrency()) {}

// ---- the plan ----

Installer::Planned Installer::make_plan(MakePlan const& order, std::stop_token const& stop) const {
    if (stop.stop_requested()) return {cancelled("the plan of", order.materials.release), nullptr};
    auto opened = open_materials(layout_, order.materials, settings_.trusted);
    if (!opened) return {pass(opened.error()), nullptr};
    if (stop.stop_requested()) return {cancelled("the plan of", order.materials.release), nullptr};
    auto plan = subscriber::make_plan(order, *opened, layout_, {settings_.reserve, settings_.memory});
    if (plan) plan->tree_size = opened->tree_size();
    return {std::move(plan), std::make_shared<OpenedMaterials>(*std::move(opened))};
}

void Installer::plan(MakePlan const& order) {
    auto const& release = order.materials.release;
    jobs_.submit(
        {release.software, TreeWork::plan, order.urgency, Bytes()},
        [this, order](std::stop_token const& stop) { return make_plan(order, stop); },
        [this, materials = order.materials](Planned planned) {
            if (planned.plan) keep(materials, std::move(planned.opened));
            tell_(PlanMade{materials.release, std::move(planned.plan)});
        });
}

void Installer::keep(Materials const& materials, std::shared_ptr<OpenedMaterials> opened) {
    auto const& software = materials.release.software;
    static_cast<void>(take_kept(materials));
    auto const size = opened->tree_size();
    std::size_t paths = opened->manifest.entries.size();
    for (auto const& [name, other] : kept_) paths += other.opened ? other.opened->manifest.entries.size() : 0;
    Kept kept{materials, paths > most_kept ? nullptr : std::move(opened), size, std::nullopt};
    if (kept.opened) kept.until = loop_.after(kept_for, [this, software] { kept_.at(software).forget(); });
    kept_.insert_or_assign(software, std::move(kept));
}

// Nothing if the plan was for something else, or is too long ago.
std::shared_ptr<OpenedMaterials> Installer::take_kept(Materials const& materials) {
    auto const found = kept_.find(materials.release.software);
    if (found == kept_.end()) return nullptr;
    if (found->second.until) loop_.cancel(*found->second.until);
    auto opened = found->second.forget();
    return same_sources(found->second.materials, materials) ? std::move(opened) : nullptr;
}

// ---- the tree ----

StageEnded Installer::make_tree(Materials const& materials, std::shared_ptr<OpenedMaterials> opened,
                                std::stop_token const& stop) {
    auto const& release = materials.release;
    if (stop.stop_requested()) return {release, cancelled("the staging of", release), {}};
    if (!opened) {
        auto fresh = open_materials(layout_, materials, settings_.trusted);
        if (!fresh) return {release, pass(fresh.error()), {{materials.manifest, Bytes()}}};
        opened = std::make_shared<OpenedMaterials>(*std::move(fresh));
    }
    auto const turn = access_.take(release.software);
    if (auto prepared = layout_.prepare(release.software); !prepared) return {release, prepared, {}};
    ObjectFiles files(layout_.incoming());
    StageJob const job{release,
                       std::move(opened->manifest),
                       std::move(opened->envelope),
                       materials.objects,
                       opened->base(),
                       opened->patched ? &*opened->patched : nullptr,
                       until(stop),
                       &memory_};
    auto const staged = subscriber::stage(job, layout_, files, settings_.reserve);
    if (staged) return {release, layout_.prepare_data(release.software, data_mode_of(job.manifest)), {}};
    auto const& failure = staged.error();
    auto const named = [&](Digest const& digest) {
        return std::ranges::find(failure.damaged, digest) != failure.damaged.end() ||
               std::ranges::find(failure.missing, digest) != failure.missing.end();
    };
    StageEnded ended{release, pass(failure.error), {}};
    std::ranges::copy_if(job.manifest.segments, std::back_inserter(ended.refetch), named, &Segment::digest);
    return ended;
}

void Installer::stage(StageRelease const& order) {
    auto const& materials = order.materials;
    auto const& software = materials.release.software;
    auto const planned = kept_.find(software);
    bool const known = planned != kept_.end() && planned->second.materials.release == materials.release;
    auto const size = known ? planned->second.tree_size : order.size;
    jobs_.submit(
        {software, TreeWork::staging, order.urgency, size},
        [this, materials, opened = take_kept(materials)](std::stop_token const& stop) {
            return make_tree(materials, opened, stop);
        },
        [this, manifest = materials.manifest](StageEnded ended) { staged(std::move(ended), manifest); });
}

void Installer::staged(StageEnded ended, Digest const& manifest) {
    if (ended.status) {
        std::erase_if(verified_, [&](auto const& known) { return known.first.software == ended.release.software; });
        verified_.emplace(ended.release, manifest);
    } else if (ended.status.error().fault == Fault::cancelled) {
        remove_rest_of(ended.release);
    }
    tell_(std::move(ended));
}

// Of a staging that was cancelled. A stop of the process leaves it to the next start.
void Installer::remove_rest_of(ReleaseId const& release) {
    jobs_.submit(
        {release.software, TreeWork::removal, Urgency::background, Bytes()},
        [this, release](std::stop_token const& stop) {
            if (stop.stop_requested()) return Status();
            auto const turn = access_.take(release.software);
            return remove_tree(layout_.staging(release), [stop] { return !stop.stop_requested(); });
        },
        [](Status const&) {});
}

// ---- what is current ----

// What lay staged for weeks is trusted no more than what came just now: either the manifest is byte for byte the one
// that this process has verified, or its signature is checked once more.
Status Installer::make_current(ReleaseId const& release, std::optional<Digest> const& verified,
                               std::stop_token const& stop) {
    if (stop.stop_requested()) return cancelled("the switch to", release);
    auto const object = load_manifest_object(layout_, release);
    if (!object) return fail(Fault::not_found, "{}", object.error().message);
    if (!verified || sha256(*object) != *verified) {
        auto const manifest = load_manifest(layout_, release, settings_.trusted);
        if (!manifest) return fail(Fault::not_found, "{}", manifest.error().message);
    }
    auto const turn = access_.take(release.software);
    return switch_current(layout_, release);
}

void Installer::switch_to(SwitchCurrent const& order, std::function<void()> afterwards) {
    auto const& release = order.release;
    auto const known = verified_.find(release);
    auto const verified = known == verified_.end() ? std::nullopt : std::optional<Digest>(known->second);
    jobs_.submit(
        {release.software, TreeWork::current, Urgency::immediate, Bytes()},
        [this, release, verified](std::stop_token const& stop) { return make_current(release, verified, stop); },
        [this, release, afterwards = std::move(afterwards)](Status status) {
            afterwards();
            tell_(SwitchEnded{release, std::move(status)});
        });
}

void Installer::point_back(PointBack const& order, Log& log) {
    auto const& release = order.release;
    jobs_.submit(
        {release.software, TreeWork::current, Urgency::immediate, Bytes()},
        [this, release](std::stop_token const& stop) { return make_current(release, std::nullopt, stop); },
        [&log, release](Status const& status) {
            if (!status)
                log.warn("`current` of {} points elsewhere: {}", release.software.text(), status.error().message);
        });
}

// ---- removal ----

void Installer::remove(RemoveVersions const& order, Log& log) {
    jobs_.submit(
        {order.software, TreeWork::removal, Urgency::background, Bytes()},
        [this, order](std::stop_token const& stop) -> Result<std::vector<ReleaseId>> {
            if (stop.stop_requested()) return std::vector<ReleaseId>();
            auto const turn = access_.take(order.software);
            return remove_superseded(layout_, order.software, order.keep, [stop] { return !stop.stop_requested(); });
        },
        [&log](Result<std::vector<ReleaseId>> const& removed) {
            if (!removed && removed.error().fault == Fault::cancelled) return;
            if (!removed) return log.warn("old versions stay: {}", removed.error().message);
            for (auto const& release : *removed) {
                log.info("removed {} {}", release.software.text(), release.directory_name());
            }
        });
}

// A release waits for it, so it does not give way.
void Installer::make_room(MakeRoom const& order) {
    jobs_.submit(
        {order.software, TreeWork::room, Urgency::immediate, Bytes()},
        [this, order](std::stop_token const& stop) -> RoomMade {
            if (stop.stop_requested()) return {order.software, fail(Fault::cancelled, "stopped before room was made")};
            auto const turn = access_.take(order.software);
            auto const hopeless = is_hopeless(layout_, order);
            if (hopeless && *hopeless) return {order.software, layout_.installed(order.software), true};
            return {order.software, subscriber::make_room(layout_, order, [stop] { return !stop.stop_requested(); })};
        },
        [this](RoomMade made) { tell_(std::move(made)); });
}

void Installer::clear_leftovers(Log& log) {
    auto const known = layout_.known_software();
    if (!known) return log.warn("{}", known.error().message);
    for (auto const& software : *known) {
        jobs_.submit(
            {software, TreeWork::removal, Urgency::background, Bytes()},
            [this, software](std::stop_token const& stop) -> Status {
                if (stop.stop_requested()) return {};
                auto const turn = access_.take(software);
                return subscriber::clear_leftovers(layout_, software, [stop] { return !stop.stop_requested(); });
            },
            [&log](Status const& status) {
                if (!status && status.error().fault != Fault::cancelled)
                    log.warn("what a crash has left stays: {}", status.error().message);
            });
    }
}

// ---- cancel ----

void Installer::cancel(SoftwareName const& software, Job job) {
    if (job == Job::plan) jobs_.cancel(software, TreeWork::plan);
    if (job == Job::staging) jobs_.cancel(software, TreeWork::staging);
}

void Installer::stop() { jobs_.cancel_all(); }

}  // namespace lull::subscriber
