#include "subscriber/install/planner.hpp"

#include "subscriber/tree/segment_runs.hpp"
#include "subscriber/tree/sparse_write.hpp"

namespace lull::subscriber {

namespace {

// What is to be fetched lies on the disk beside the tree that is made of it.
Status check_room(Layout const& layout, Manifest const& manifest, Plan const& plan, Bytes reserve) {
    auto const space = free_space(layout.root());
    if (!space) return pass(space.error());
    Bytes needed = reserve;
    for (auto const& entry : manifest.entries) needed += bytes_on_disk(entry);
    for (auto const& object : plan.objects) needed += object.size;
    if (needed <= space->bytes) return {};
    return fail(Fault::no_space,
                "no room for {} {} in {}: {} may be needed, {} are free; make room, the node retries by itself",
                manifest.software.text(), manifest.version.text(), layout.root().string(), to_text(needed),
                to_text(space->bytes));
}

// Deltas that take more memory than there is are left aside: a segment takes less.
bool is_worth_it(Patched const& patched, Step const& step, Segment const& segment, Bytes memory) {
    auto const needed = patched.memory_for(step, segment);
    return needed && *needed + memory_beside_segments <= memory;
}

Plan choose(OpenedMaterials const& opened, std::set<Digest> const& useless, Bytes memory) {
    Plan plan;
    auto const* const base = opened.base();
    auto const wanted = wanted_segments(opened.manifest, base == nullptr ? nullptr : &base->manifest());
    Bytes to_fetch{};
    bool all_known = opened.patched.has_value();
    for (auto const index : wanted) {
        auto const& segment = opened.manifest.segments[index];
        auto const* const step = opened.patched ? opened.patched->step_for(index) : nullptr;
        all_known = all_known && step != nullptr;
        bool const by_delta = step != nullptr && is_delta(*step, opened.manifest) &&
                              !(step->object && useless.contains(*step->object)) &&
                              is_worth_it(*opened.patched, *step, segment, memory);
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

}  // namespace

Result<Plan> make_plan(MakePlan const& order, OpenedMaterials const& opened, Layout const& layout,
                       PlanBounds const& bounds) {
    auto const& release = order.materials.release;
    auto const& manifest = opened.manifest;
    if (!belongs_to(manifest, release.software, release.version)) {
        return fail(Fault::refused, "the manifest is that of {} {}, not of {} {}", manifest.software.text(),
                    manifest.version.text(), release.software.text(), release.version.text());
    }
    auto plan = choose(opened, order.useless, bounds.memory);
    if (auto room = check_room(layout, manifest, plan, bounds.reserve); !room) return pass(room.error());
    return plan;
}

}  // namespace lull::subscriber
