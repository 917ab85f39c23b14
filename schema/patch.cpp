#include "schema/patch.hpp"

namespace lull {

namespace {

Status check(Step const& step, Step const* before) {
    if (step.object.has_value() == step.frame.has_value())
        return fail(Fault::damaged, "a step has an object or a frame, and not both");
    if (before != nullptr && before->segment >= step.segment)
        return fail(Fault::damaged, "the steps are not in the order of segments");
    if (step.size > limits::stored_object) return fail(Fault::damaged, "a step needs more than an object may have");
    return {};
}

}  // namespace

bool is_delta(Step const& step, Manifest const& to) {
    return step.frame || *step.object != to.segments.at(step.segment).digest;
}

Result<Patch> decode_patch(View bytes) {
    auto patch = decode<Patch>(bytes, limits::patch);
    if (!patch) return patch;
    Step const* before = nullptr;
    for (auto const& step : patch->steps) {
        if (auto checked = check(step, before); !checked) return pass(checked.error());
        before = &step;
    }
    return patch;
}

Result<Bytes> length_of(BaseRange const& range, Manifest const& old) {
    if (range.entry >= old.entries.size() || old.entries[range.entry].type != EntryType::file) {
        return fail(Fault::damaged, "path number {} of the old release is no file", range.entry);
    }
    auto const& file = old.entries[range.entry];
    auto const offset = range.offset.value_or(Bytes());
    bool const inside = offset <= file.size && range.length.value_or(Bytes()) <= file.size - offset;
    if (!inside) return fail(Fault::damaged, "{} of the old release is shorter than that", file.path);
    return range.length.value_or(file.size - offset);
}

Result<Bytes> length_of(std::vector<BaseRange> const& base, Manifest const& old) {
    Bytes sum{};
    for (auto const& range : base) {
        auto const length = length_of(range, old);
        if (!length) return length;
        sum += *length;
        if (sum > limits::delta_base)
            return fail(Fault::damaged, "the base of a delta is larger than {}", to_text(limits::delta_base));
    }
    return sum;
}

}  // namespace lull
