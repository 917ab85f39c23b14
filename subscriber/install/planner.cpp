#include "subscriber/install/planner.hpp"

#include <algorithm>

#include "subscriber/install/tree_room.hpp"
#include "subscriber/tree/segment_runs.hpp"

namespace lull::subscriber {

namespace {

// What is still to come of the objects; each once.
Result<Room> room_of_objects(Layout const& layout, std::vector<Segment> const& objects) {
    ObjectFiles const files(layout.incoming());
    Room room;
    std::set<Digest> counted;
    for (auto const& object : objects) {
        if (!counted.insert(object.digest).second) continue;
        auto const here = files.size(object.digest);
        if (!here) return pass(here.error());
        if (here->zero()) ++room.inodes;
        room.bytes += room_of_file(object.size - std::min(object.size, *here));
    }
    return room;
}

// What is to be fetched lies on the disk beside the tree that is made of it.
Status check_room(Layout const& layout, OpenedMaterials const& opened, Plan& plan, Bytes reserve) {
    auto const& manifest = opened.manifest;
    auto const space = free_space(layout.root());
    if (!space) return pass(space.error());
    auto const objects = room_of_objects(layout, plan.objects);
    if (!objects) return pass(objects.error());
    auto const tree = room_of_tree(manifest, Bytes(opened.envelope.size()));
    auto const needed = reserve + tree.bytes + objects->bytes;
    auto const inodes = inodes_kept + tree.inodes + objects->inodes;
    if (needed <= space->bytes && inodes <= space->inodes) return {};
    if (needed > space->bytes) plan.lacking = needed - space->bytes;
    auto const lacking = inodes <= space->inodes
                             ? fmt::format("{} may be needed, {} are free", to_text(needed), to_text(space->bytes))
                             : fmt::format("{} inodes may be needed, {} are free", inodes, space->inodes);
    return fail(Fault::no_space, "no room for {} {} in {}: {}; make room, the node retries by itself",
                manifest.software.text(), manifest.version.text(), layout.root().string(), lacking);
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
    auto const room = check_room(layout, opened, plan, bounds.reserve);
    if (!room && room.error().fault != Fault::no_space) return pass(room.error());
    if (!room) plan.no_room = room.error();
    return plan;
}

}  // namespace lull::subscriber
