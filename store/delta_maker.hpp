#pragma once

#include <stop_token>

#include "store/bases.hpp"
#include "store/compression.hpp"
#include "store/delta.hpp"
#include "store/release_contents.hpp"

namespace lull::store {

// A segment of the new release as a delta against files of the old one.
struct MadeDelta {
    std::uint32_t segment = 0;
    std::vector<BaseRange> base;
    Buffer frame;
};

// Makes the deltas from one release to another. For one thread at a time. Memory as make_delta() and the two contents
// say.
class DeltaMaker {
public:
    DeltaMaker(ReleaseContents from, ReleaseContents to) : from_(std::move(from)), to_(std::move(to)) {}

    [[nodiscard]] Manifest const& from() const { return from_.manifest(); }
    [[nodiscard]] Manifest const& to() const { return to_.manifest(); }

    // What a node with the old release lacks. Reads the files of which neither path nor name tells what they were.
    // Fault::cancelled if it was stopped.
    [[nodiscard]] Result<std::vector<LackingSegment>> find_lacking(std::stop_token const& stop = {});

    // The delta of one of these, which has a base. Fault::cancelled if it was stopped.
    [[nodiscard]] Result<MadeDelta> make(LackingSegment const& lacking, int level, std::stop_token const& stop = {});

    // The same if a node gains by it; nothing if it is to fetch the segment, `whole` as it is stored.
    [[nodiscard]] Result<std::optional<MadeDelta>> make_worthwhile(LackingSegment const& lacking,
                                                                   ObjectShape const& whole, int level,
                                                                   std::stop_token const& stop = {});

private:
    [[nodiscard]] Result<std::vector<std::vector<Anchor>>> anchors_of(ReleaseContents& contents,
                                                                      std::vector<Digest> const& files,
                                                                      std::stop_token const& stop);
    [[nodiscard]] Result<std::vector<BaseRange>> narrow(LackingSegment const& lacking);
    [[nodiscard]] Result<Buffer> make_quick(std::uint32_t segment, View base, int level, std::stop_token const& stop);
    [[nodiscard]] Result<Buffer> make_small(std::uint32_t segment, std::vector<BaseRange> const& ranges, View base,
                                            std::stop_token const& stop);

    ReleaseContents from_;
    ReleaseContents to_;
};

// Puts a patch together: small frames stand in it, so that they need no request of their own.
class PatchBuilder {
public:
    PatchBuilder(Digest const& from, Digest const& to) : patch_{from, to, {}, {}} {}

    void set_manifest(Buffer frame) { patch_.manifest = std::move(frame); }
    // In the order of Patch::steps. What is returned is to be stored: the patch names it.
    [[nodiscard]] std::optional<StoredObject> add(MadeDelta delta);
    // To be fetched whole, as it is stored.
    void add_whole(std::uint32_t segment, ObjectShape const& shape);

    [[nodiscard]] Patch const& patch() const { return patch_; }
    // That a node fetches, beside the patch itself.
    [[nodiscard]] Bytes to_fetch() const;

private:
    Patch patch_;
    Bytes inside_{};  // frames that stand in the patch
};

}  // namespace lull::store
