#pragma once

#include <map>
#include <vector>

#include "schema/patch.hpp"

namespace lull::store {

// A segment that a node with the old release lacks.
struct LackingSegment {
    std::uint32_t segment = 0;    // index into the new manifest's segments
    std::vector<BaseRange> base;  // what it probably resembles; empty: nothing
    // The base is one file that is longer than limits::delta_base, given in full here: locate() says which part of it
    // to take.
    bool to_locate = false;
    double relative_place = 0;  // of the segment in its file
};

// Files that cannot be found by digest, path or name: those that are new, and those of the old release that are gone.
// most_alike() may find which of them have become which.
struct Strangers {
    std::vector<Digest> gone;
    std::vector<Digest> fresh;
};
[[nodiscard]] Strangers find_strangers(Manifest const& from, Manifest const& to);

// The segments of `to` that hold a file of which `from` has no equal one, ascending, each with the files of `from` that
// its own files resemble: an equal one, else that of the same path, else of the same name, the nearest in size, else
// the one that `alike` gives for its digest.
[[nodiscard]] std::vector<LackingSegment> find_bases(Manifest const& from, Manifest const& to,
                                                     std::map<Digest, Digest> const& alike);

}  // namespace lull::store
