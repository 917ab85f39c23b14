#include "store/pack_index.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

namespace pack_index_test {

using namespace lull;
using namespace lull::store;

namespace {

ObjectPlace place_of(std::uint32_t number, std::uint32_t pack, std::uint64_t offset, std::uint64_t stored = 10) {
    return {pack, Bytes(offset),
            ObjectShape{sha256(as_view(std::to_string(number))), ObjectCodec::zstd, Bytes(stored), Bytes(stored * 3)}};
}

std::vector<std::uint64_t> offsets(std::vector<ObjectPlace> const& places) {
    std::vector<std::uint64_t> found;
    for (auto const& place : places) found.push_back(place.offset.count());
    return found;
}

using Offsets = std::vector<std::uint64_t>;

// The same by brute force: every object, whatever pack.
struct Model {
    std::map<Digest, ObjectPlace> places;

    [[nodiscard]] Offsets in(std::uint32_t pack, std::uint64_t from) const {
        Offsets found;
        for (auto const& [object, place] : places) {
            if (place.pack == pack && place.offset >= Bytes(from)) found.push_back(place.offset.count());
        }
        std::ranges::sort(found);
        return found;
    }
    [[nodiscard]] std::map<std::uint32_t, PackUse> uses() const {
        std::map<std::uint32_t, PackUse> uses;
        for (auto const& [object, place] : places) {
            auto& use = uses[place.pack];
            ++use.objects;
            use.used += place.shape.stored;
            use.end = std::max(use.end, place.offset + place.shape.stored);
        }
        return uses;
    }
};

}  // namespace

TEST_CASE("the objects of a pack come in the order of their offsets, whatever the order in which they are known") {
    PackIndex index;
    index.insert(place_of(1, 1, 300));
    index.insert(place_of(2, 1, 100));
    index.insert(place_of(3, 2, 50));
    index.insert(place_of(4, 1, 200));
    CHECK(offsets(index.objects_in(1)) == Offsets{100, 200, 300});
    CHECK(offsets(index.objects_in(1, Bytes(200))) == Offsets{200, 300});
    CHECK(offsets(index.objects_in(1, GiB(5))) == Offsets());
    CHECK(offsets(index.objects_in(2)) == Offsets{50});
    CHECK(index.objects_in(3).empty());
    CHECK(index.packs().at(1) == PackUse{3, Bytes(30), Bytes(310)});
    CHECK(index.newest() == 2);
    auto const found = index.find(place_of(4, 0, 0).shape.object);
    REQUIRE(found);
    CHECK(found->shape == place_of(4, 1, 200).shape);
}

TEST_CASE("an object that moves to another pack is gone from the first one, whose end moves with it") {
    PackIndex index;
    index.insert(place_of(1, 1, 100));
    index.insert(place_of(2, 1, 200));
    index.insert(place_of(2, 3, 24, 7));
    CHECK(offsets(index.objects_in(1)) == Offsets{100});
    CHECK(index.packs().at(1) == PackUse{1, Bytes(10), Bytes(110)});
    CHECK(index.packs().at(3) == PackUse{1, Bytes(7), Bytes(31)});
    CHECK(index.count() == 2);
    index.erase(place_of(1, 0, 0).shape.object);
    CHECK_FALSE(index.packs().contains(1));
    index.erase(place_of(1, 0, 0).shape.object);  // it is gone already
    CHECK(index.count() == 1);
    index.erase(place_of(2, 0, 0).shape.object);
    CHECK(index.packs().empty());
    CHECK(index.newest() == 3);  // as ever before
}

TEST_CASE("two objects of one offset, which only a damaged index has, are told apart") {
    PackIndex index;
    index.insert(place_of(1, 1, 100));
    index.insert(place_of(2, 1, 100));
    index.erase(place_of(2, 0, 0).shape.object);
    REQUIRE(index.objects_in(1).size() == 1);
    CHECK(index.objects_in(1)[0].shape.object == place_of(1, 0, 0).shape.object);
    index.erase(place_of(1, 0, 0).shape.object);
    CHECK(index.packs().empty());
}

TEST_CASE("after many inserts, moves and removals the index agrees with a search of everything") {
    std::mt19937_64 random(7);
    PackIndex index;
    Model model;
    std::map<std::uint32_t, std::uint64_t> ends;
    for (int step = 0; step < 20'000; ++step) {
        auto const number = static_cast<std::uint32_t>(random() % 700);
        if (random() % 3 == 0) {
            auto const object = place_of(number, 0, 0).shape.object;
            index.erase(object);
            model.places.erase(object);
            continue;
        }
        auto const pack = static_cast<std::uint32_t>(1 + random() % 9);
        auto const stored = 1 + random() % 50;
        auto& end = ends.try_emplace(pack, 24).first->second;
        auto const place = place_of(number, pack, end, stored);
        end += stored;
        index.insert(place);
        model.places.insert_or_assign(place.shape.object, place);
        if (step % 100 != 0) continue;
        auto const from = random() % end;
        REQUIRE(offsets(index.objects_in(pack, Bytes(from))) == model.in(pack, from));
        REQUIRE(index.packs() == model.uses());
        REQUIRE(index.count() == model.places.size());
    }
}

}  // namespace pack_index_test
