#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "store/object_place.hpp"

namespace lull::store {

// What lies in one pack.
struct PackUse {
    std::size_t objects = 0;
    Bytes used{};  // by stored objects
    Bytes end{};   // where the last of them ends
    bool operator==(PackUse const&) const = default;
};

// Where each object lies, by its digest, and which objects lie in each pack. In memory: about 110 bytes an object. One
// thread at a time.
class PackIndex {
public:
    void insert(ObjectPlace const& place);
    void erase(Digest const& object);

    [[nodiscard]] std::optional<ObjectPlace> find(Digest const& object) const;
    // The objects of one pack from this offset on, ascending. Touches no other pack's.
    [[nodiscard]] std::vector<ObjectPlace> objects_in(std::uint32_t pack, Bytes from = {}) const;
    // Of each pack in which an object lies.
    [[nodiscard]] std::map<std::uint32_t, PackUse> const& packs() const { return uses_; }

    // The highest pack in which an object was ever found. The one that is appended to is this one or a later one.
    [[nodiscard]] std::uint32_t newest() const { return newest_; }
    [[nodiscard]] std::size_t count() const { return places_.size(); }

private:
    // ObjectPlace without the digest, in 16 bytes: there may be hundreds of thousands.
    struct CompactPlace {
        explicit CompactPlace(ObjectPlace const& place);
        [[nodiscard]] ObjectPlace expand(Digest const& object) const;

        std::uint32_t pack;
        std::uint32_t offset;
        std::uint32_t stored_and_codec;
        std::uint32_t plain;
    };

    // The objects of a pack, ascending. What is removed leaves a hole until there are more holes than objects.
    class Contents {
    public:
        void add(std::uint32_t offset, Digest const* object);
        void remove(std::uint32_t offset, Digest const* object);
        struct Entry {
            std::uint32_t offset;
            Digest const* object;  // the key in places_; null: a hole
            bool operator==(Entry const&) const = default;
        };
        [[nodiscard]] std::vector<Entry> const& entries() const;
        [[nodiscard]] std::vector<Entry>::const_iterator from(std::uint32_t offset) const;

    private:
        mutable std::vector<Entry> entries_;  // the last one is no hole
        mutable bool sorted_ = true;          // sorted when it is asked for: rows come by digest at the start
        std::size_t holes_ = 0;
    };

    void leave(Digest const& object, CompactPlace const& place);

    std::unordered_map<Digest, CompactPlace, DigestHash> places_;
    std::unordered_map<std::uint32_t, Contents> contents_;
    std::map<std::uint32_t, PackUse> uses_;
    std::uint32_t newest_ = 0;
};

}  // namespace lull::store
