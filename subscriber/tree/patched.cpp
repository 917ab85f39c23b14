#include "subscriber/tree/patched.hpp"

#include <algorithm>

#include "store/compression.hpp"
#include "store/delta.hpp"

namespace lull::subscriber {

Result<Patched> Patched::open(ObjectShape const& patch, ObjectFiles const& objects, InstalledBase base) {
    auto const stored = objects.read(patch.object, limits::stored_object);
    if (!stored) return fail(Fault::damaged, "the patch is not here: {}", stored.error().message);
    auto const plain = store::unpack_object(patch, *stored, limits::patch);
    if (!plain) return pass(plain.error());
    auto decoded = decode_patch(*plain);
    if (!decoded) return pass(decoded.error());
    if (decoded->from != sha256(base.manifest_object()))
        return fail(Fault::damaged, "the patch is for another release than the one here");
    return Patched(std::move(*decoded), std::move(base));
}

Step const* Patched::step_for(std::uint32_t segment) const {
    auto const step = std::ranges::lower_bound(patch_.steps, segment, {}, &Step::segment);
    return step == patch_.steps.end() || step->segment != segment ? nullptr : &*step;
}

Result<Buffer> Patched::manifest_object() const {
    auto const size = store::plain_size(patch_.manifest);
    if (!size || *size > limits::envelope) return fail(Fault::damaged, "the patch gives no manifest");
    return store::apply_delta({patch_.to, *size}, base_.manifest_object(), patch_.manifest);
}

Result<Bytes> Patched::memory_for(Step const& step, Segment const& segment) const {
    auto const base = length_of(step.base, base_.manifest());
    if (!base) return base;
    return store::memory_to_apply(*base, segment.size, step.frame ? Bytes(step.frame->size()) : step.size);
}

Result<Buffer> Patched::read(Step const& step, Segment const& segment, ObjectFiles const& objects) const {
    auto const base = base_.read(step.base);
    if (!base) return base;
    if (step.frame) return store::apply_delta(segment, *base, *step.frame);
    auto const frame = objects.read(*step.object, limits::stored_object);
    if (!frame) return fail(Fault::damaged, "{}", frame.error().message);
    return store::apply_delta(segment, *base, *frame);
}

}  // namespace lull::subscriber
