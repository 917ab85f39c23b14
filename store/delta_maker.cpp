#include "store/delta_maker.hpp"

#include <algorithm>

#include "store/elf.hpp"

namespace lull::store {

namespace {

constexpr Bytes largest_inside = KiB(4);
constexpr Bytes most_inside = MiB(1);

// A frame that is not tried to make smaller: 16 MiB would take 15 s of a core, for a third of 4 KiB.
std::size_t small_enough(ObjectShape const& whole) { return std::max<std::size_t>(1024, whole.plain.count() / 4096); }

// A delta is worth its base, its request and its room from there on.
bool is_worth_it(Buffer const& delta, ObjectShape const& whole) {
    return delta.size() < whole.stored.count() - whole.stored.count() / 20;
}

tl::unexpected<Error> stopped() { return fail(Fault::cancelled, "the work on a patch was stopped"); }

// Frames do not get smaller.
StoredObject store_raw(Buffer bytes) {
    Bytes const size(bytes.size());
    return {ObjectShape{sha256(bytes), ObjectCodec::raw, size, size}, std::move(bytes)};
}

// The parts of files that make up a segment, in its order.
std::vector<BaseRange> files_in(Manifest const& manifest, std::uint32_t segment) {
    std::map<Bytes, BaseRange> parts;  // by where in the segment they begin
    for (std::uint32_t i = 0; i < manifest.entries.size(); ++i) {
        auto const& file = manifest.entries[i];
        if (!file.segment || file.size.zero() || *file.segment > segment) continue;
        Bytes before{};  // bytes of the file in earlier segments
        auto begin = *file.offset;
        for (auto other = *file.segment; other < segment && before < file.size; ++other, begin = {}) {
            before += manifest.segments[other].size - begin;
        }
        if (before >= file.size) continue;
        parts.emplace(begin,
                      BaseRange{i, before, std::min(file.size - before, manifest.segments[segment].size - begin)});
    }
    std::vector<BaseRange> ranges;
    for (auto const& [begin, range] : parts) ranges.push_back(range);
    return ranges;
}

// A loaded part of a file, of which `length` bytes from `offset` on stand at `at` in the bytes at hand: what is before
// them, they, and what is behind them.
void add_part(Module& module, LoadedPart const& part, Bytes at, Bytes offset, Bytes length) {
    auto const in_file = std::min(part.in_file, ~part.offset);
    auto const end = part.offset + in_file;
    auto const here = std::clamp(offset.count(), part.offset, end);
    auto const here_end = std::clamp((offset + length).count(), here, end);
    auto const add = [&](std::uint64_t begin, std::uint64_t size, std::optional<std::uint32_t> place) {
        if (size > 0) module.ranges.push_back({part.address + (begin - part.offset), size, place, part.executable});
    };
    add(part.offset, here - part.offset, std::nullopt);
    add(here, here_end - here, static_cast<std::uint32_t>(at.count() + (here - offset.count())));
    add(here_end, end - here_end, std::nullopt);
    if (part.in_memory > in_file) add(end, part.in_memory - in_file, std::nullopt);
}

// Where the programs among these parts of files, one behind the other, lie when they run.
Result<AddressSpace> space_of(ReleaseContents& contents, std::vector<BaseRange> const& ranges) {
    std::vector<Module> modules;
    Bytes at{};
    for (auto const& range : ranges) {
        auto const length = length_of(range, contents.manifest());
        if (!length) return pass(length.error());
        auto const size = std::min(contents.manifest().entries[range.entry].size, Bytes(elf_header_size));
        auto const beginning = contents.read({{range.entry, Bytes(), size}});
        if (!beginning) return pass(beginning.error());
        Module module;
        for (auto const& part : read_elf(*beginning))
            add_part(module, part, at, range.offset.value_or(Bytes()), *length);
        if (!module.ranges.empty() && modules.size() < AddressSpace::most_modules) modules.push_back(std::move(module));
        at += *length;
    }
    return AddressSpace(std::move(modules), at.count());
}

}  // namespace

Result<std::vector<std::vector<Anchor>>> DeltaMaker::anchors_of(ReleaseContents& contents,
                                                                std::vector<Digest> const& files,
                                                                std::stop_token const& stop) {
    auto const& entries = contents.manifest().entries;
    std::map<Digest, std::uint32_t> places;
    for (std::uint32_t i = 0; i < entries.size(); ++i) {
        if (entries[i].digest) places.emplace(*entries[i].digest, i);
    }
    std::vector<std::vector<Anchor>> all;
    for (auto const& file : files) {
        if (stop.stop_requested()) return stopped();
        auto anchors = contents.anchors(places.at(file));
        if (!anchors) return pass(anchors.error());
        all.push_back(std::move(*anchors));
    }
    return all;
}

Result<std::vector<LackingSegment>> DeltaMaker::find_lacking(std::stop_token const& stop) {
    auto const strangers = find_strangers(from(), to());
    std::map<Digest, Digest> alike;
    if (!strangers.gone.empty() && !strangers.fresh.empty()) {
        auto const gone = anchors_of(from_, strangers.gone, stop);
        if (!gone) return pass(gone.error());
        auto const fresh = anchors_of(to_, strangers.fresh, stop);
        if (!fresh) return pass(fresh.error());
        auto const twins = most_alike(*gone, *fresh);
        for (std::size_t i = 0; i < twins.size(); ++i) {
            if (twins[i]) alike.emplace(strangers.fresh[i], strangers.gone[*twins[i]]);
        }
    }
    return find_bases(from(), to(), alike);
}

// The part of a large old file that a segment resembles.
Result<std::vector<BaseRange>> DeltaMaker::narrow(LackingSegment const& lacking) {
    auto const entry = lacking.base.front().entry;
    auto const size = from().entries[entry].size;
    auto const old = from_.anchors(entry);
    if (!old) return pass(old.error());
    auto const plain = to_.segment(lacking.segment);
    if (!plain) return pass(plain.error());
    AnchorFinder piece;
    piece.feed(*plain);
    auto const window = std::min(size, limits::delta_base);
    return std::vector{BaseRange{entry, locate(*old, size, piece.anchors(), lacking.relative_place, window), window}};
}

Result<Buffer> DeltaMaker::make_quick(std::uint32_t segment, View base, int level, std::stop_token const& stop) {
    auto const plain = to_.segment(segment);
    if (!plain) return pass(plain.error());
    auto frame = make_delta(base, *plain, level, stop);
    if (!frame) return stopped();
    return std::move(*frame);
}

Result<Buffer> DeltaMaker::make_small(std::uint32_t segment, std::vector<BaseRange> const& ranges, View base,
                                      std::stop_token const& stop) {
    auto const old_space = space_of(from_, ranges);
    if (!old_space) return pass(old_space.error());
    auto const parts = files_in(to(), segment);
    auto const new_space = old_space->empty() ? Result<AddressSpace>() : space_of(to_, parts);
    if (!new_space) return pass(new_space.error());
    auto const plain = to_.segment(segment);
    if (!plain) return pass(plain.error());
    auto frame = make_smallest_delta({base, *old_space}, {*plain, *new_space}, stop);
    if (!frame) return stopped();
    return std::move(*frame);
}

Result<MadeDelta> DeltaMaker::make(LackingSegment const& lacking, int level, std::stop_token const& stop) {
    auto base = lacking.to_locate ? narrow(lacking) : Result<std::vector<BaseRange>>(lacking.base);
    if (!base) return pass(base.error());
    auto const old = from_.read(*base);
    if (!old) return pass(old.error());
    auto frame = level < small_level ? make_quick(lacking.segment, *old, level, stop)
                                     : make_small(lacking.segment, *base, *old, stop);
    if (!frame) return pass(frame.error());
    return MadeDelta{lacking.segment, std::move(*base), std::move(*frame)};
}

// Whether there is something to gain is seen at a small fraction of the time that it takes to gain it.
Result<std::optional<MadeDelta>> DeltaMaker::make_worthwhile(LackingSegment const& lacking, ObjectShape const& whole,
                                                             int level, std::stop_token const& stop) {
    if (lacking.base.empty()) return std::nullopt;
    auto made = make(lacking, quick_level, stop);
    if (!made) return pass(made.error());
    if (level > quick_level && made->frame.size() > small_enough(whole)) {
        auto const programs = space_of(from_, made->base);
        if (!programs) return pass(programs.error());
        // Of a program the quick frame says little: every address in it may have moved.
        if (!is_worth_it(made->frame, whole) && programs->empty()) return std::nullopt;
        made = make(lacking, level, stop);
        if (!made) return pass(made.error());
    }
    if (!is_worth_it(made->frame, whole)) return std::nullopt;
    return std::move(*made);
}

// ---- patches ----

std::optional<StoredObject> PatchBuilder::add(MadeDelta delta) {
    Bytes const size(delta.frame.size());
    Step step;
    step.segment = delta.segment;
    step.base = std::move(delta.base);
    std::optional<StoredObject> object;
    if (size <= largest_inside && inside_ + size <= most_inside) {
        inside_ += size;
        step.frame = std::move(delta.frame);
    } else {
        object = store_raw(std::move(delta.frame));
        step.object = object->shape.object;
        step.size = size;
    }
    patch_.steps.push_back(std::move(step));
    return object;
}

void PatchBuilder::add_whole(std::uint32_t segment, ObjectShape const& shape) {
    Step step;
    step.segment = segment;
    step.object = shape.object;
    step.size = shape.stored;
    patch_.steps.push_back(std::move(step));
}

Bytes PatchBuilder::to_fetch() const {
    Bytes sum{};
    for (auto const& step : patch_.steps) sum += step.size;
    return sum;
}

}  // namespace lull::store
