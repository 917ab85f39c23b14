#pragma once

#include <map>
#include <vector>

#include "schema/manifest.hpp"

namespace lull::store {

// Bytes of a file of the old release, which is named by its digest: so a node finds it whatever its path.
struct BaseRange {
    Digest file;
    Bytes offset{};
    Bytes length{};
    static void describe(auto& self, auto& visit) {
        visit("f", self.file);
        visit("o", self.offset);
        visit("l", self.length);
    }
    bool operator==(BaseRange const&) const = default;
};

inline constexpr Bytes most_base = MiB(20);  // of one segment: what a node holds in memory beside it

// A segment that a node with the old release lacks.
struct LackingSegment {
    std::uint32_t segment = 0;       // index into the new manifest's segments
    std::vector<BaseRange> base;     // what it probably resembles; empty: nothing
    // The base is one file that is longer than most_base, given in full here: locate() says which part of it to take.
    bool to_locate = false;
    double relative_place = 0;       // of the segment in its file
};

// Files that cannot be found by digest, path or name: those that are new, and those of the old release that are gone. most_alike() may
// find which of them have become which.
struct Strangers {
    std::vector<Digest> gone;
    std::vector<Digest> fresh;
};
[[nodiscard]] Strangers find_strangers(Manifest const& from, Manifest const& to);

// The segments of `to` that hold a file of which `from` has no equal one, ascending, each with the files of `from` that its own files resemble:
// an equal one, else that of the same path, else of the same name, the nearest in size, else the one that `alike` gives for its digest.
[[nodiscard]] std::vector<LackingSegment> find_bases(Manifest const& from, Manifest const& to, std::map<Digest, Digest> const& alike);

}  // namespace lull::store
