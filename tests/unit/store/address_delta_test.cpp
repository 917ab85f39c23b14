#include "store/address_delta.hpp"

#include <catch2/catch.hpp>

#include <random>

#include "store/address_delta_format.hpp"
#include "store/block_finder.hpp"
#include "store/delta.hpp"
#include "tests/unit/store/program.hpp"

namespace address_delta_test {

using namespace lull;
using namespace lull::store;
using test::Program;

namespace {

Segment segment_of(View plain) { return {sha256(plain), Bytes(plain.size())}; }

Buffer make(Program const& old, Program const& fresh) {
    return make_address_delta(old.bytes(), old.space(), fresh.bytes(), fresh.space()).value();
}

// The frame with its side information replaced; the rest as it is.
Buffer with_header(std::vector<std::uint64_t> const& numbers, View rest) {
    Buffer frame(address_delta::magic.begin(), address_delta::magic.end());
    for (auto const number : numbers) put_varint(frame, number);
    frame.insert(frame.end(), rest.begin(), rest.end());
    return frame;
}

}  // namespace

TEST_CASE("the addresses of a program that has grown in the middle are foreseen") {
    Program const old(1, {});
    Program const fresh(1, {.grown = 100});
    auto const delta = make(old, fresh);
    CHECK(apply_delta(segment_of(fresh.bytes()), old.bytes(), delta).value() == fresh.bytes());
    auto const by_prefix = make_delta(old.bytes(), fresh.bytes(), 19).value();
    CHECK(delta.size() * 5 < by_prefix.size());
    CHECK(make_smallest_delta({old.bytes(), old.space()}, {fresh.bytes(), fresh.space()}).value() == delta);
}

TEST_CASE("without knowing where a program lies when it runs its delta is far larger") {
    Program const old(2, {});
    Program const fresh(2, {.grown = 100});
    auto const blind = make_address_delta(old.bytes(), {}, fresh.bytes(), {}).value_or(fresh.bytes());
    CHECK(blind.size() > make(old, fresh).size() * 3);
    auto const nothing_known = make_smallest_delta({old.bytes(), {}}, {fresh.bytes(), {}}).value();
    CHECK_FALSE(is_address_delta(nothing_known));
    CHECK(apply_delta(segment_of(fresh.bytes()), old.bytes(), nothing_known).value() == fresh.bytes());
}

TEST_CASE("programs with any changes come out as they are") {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        Program const old(seed, {});
        Program const fresh(seed, {.grown = seed * 37 % 500, .edits = seed % 7 * 40, .moved = seed % 3 == 0});
        auto const delta = make_address_delta(old.bytes(), old.space(), fresh.bytes(), fresh.space());
        if (!delta) continue;
        REQUIRE(plain_size(*delta) == Bytes(fresh.bytes().size()));
        REQUIRE(apply_delta(segment_of(fresh.bytes()), old.bytes(), *delta).value() == fresh.bytes());
    }
}

TEST_CASE("what is the same, and what lies outside of the bytes at hand, is foreseen as well") {
    Program const old(3, {});
    auto const same = make(old, old);
    CHECK(same.size() < 400);
    CHECK(apply_delta(segment_of(old.bytes()), old.bytes(), same).value() == old.bytes());
    Program const fresh(3, {.grown = 64});
    auto const part = [](Program const& program) { return View(program.bytes()).subspan(10'000, 60'000); };
    auto const delta =
        make_address_delta(part(old), old.space(10'000, 60'000), part(fresh), fresh.space(10'000, 60'000)).value();
    CHECK(apply_delta(segment_of(part(fresh)), part(old), delta).value() == to_buffer(part(fresh)));
    CHECK(delta.size() < 3000);
}

TEST_CASE("an address delta with another base, or for another segment, is damaged") {
    Program const old(4, {});
    Program const fresh(4, {.grown = 32});
    auto const delta = make(old, fresh);
    auto const refused = [&](Segment const& segment, View base) {
        return apply_delta(segment, base, delta).error().fault == Fault::damaged;
    };
    auto const segment = segment_of(fresh.bytes());
    auto other = old.bytes();
    other[40'000] ^= std::byte{1};
    CHECK(refused(segment, other));
    CHECK(refused(segment, View(old.bytes()).first(1000)));
    CHECK(refused(segment, {}));
    CHECK(refused({segment.digest, segment.size - Bytes(1)}, old.bytes()));
    CHECK(refused({segment.digest, MiB(16)}, old.bytes()));
}

TEST_CASE("an address delta that was changed or cut anywhere gives the right bytes or none") {
    Program const old(5, {.size = 20'000});
    Program const fresh(5, {.size = 20'000, .grown = 32, .edits = 20});
    auto const delta = make(old, fresh);
    auto const segment = segment_of(fresh.bytes());
    std::size_t refused = 0;
    for (std::size_t at = 0; at < delta.size(); ++at) {
        auto changed = delta;
        changed[at] ^= static_cast<std::byte>(1 + at % 255);
        auto const plain = apply_delta(segment, old.bytes(), changed);
        if (plain) CHECK(*plain == fresh.bytes());
        refused += plain ? 0 : 1;
    }
    CHECK(refused > delta.size() / 2);
    for (std::size_t length = 0; length < delta.size(); length += 7) {
        REQUIRE(apply_delta(segment, old.bytes(), View(delta).first(length)).error().fault == Fault::damaged);
    }
}

// The side information is packed, so changes of the frame hardly ever get behind zstd's own checks.
TEST_CASE("whatever the side information says is refused or fills the plain bytes, and nothing else") {
    Program const old(6, {.size = 20'000});
    Program const fresh(6, {.size = 20'000, .grown = 32, .edits = 20});
    test::AddressDeltaParts const parts(make(old, fresh));
    Buffer plain(fresh.bytes().size());
    REQUIRE(apply_address_delta(old.bytes(), parts.frame(), plain));
    CHECK(plain == fresh.bytes());
    std::mt19937_64 random(7);
    std::size_t taken = 0;
    for (int i = 0; i < 20'000; ++i) {
        auto changed = parts;
        for (auto changes = 1 + random() % 3; changes > 0; --changes) {
            auto const at = random() % changed.side.size();
            constexpr std::array<unsigned, 6> telling{0x00, 0x01, 0x7f, 0x80, 0xff, 0x10};
            changed.side[at] = static_cast<std::byte>(random() % 2 == 0 ? telling[random() % telling.size()]
                                                                        : random() & 0xff);
        }
        auto const done = apply_address_delta(old.bytes(), changed.frame(), plain);
        if (!done) CHECK(done.error().fault == Fault::damaged);
        taken += done ? 1 : 0;
    }
    CHECK(taken > 0);
    CHECK(taken < 20'000);
}

TEST_CASE("a header that promises too much is refused before anything is made") {
    Program const old(8, {});
    Buffer const rest(100, std::byte{0x5a});
    auto const huge = std::uint64_t{1} << 62;
    for (auto const& numbers : std::vector<std::vector<std::uint64_t>>{{huge, 1, 1, 0, 1},
                                                                       {1000, huge, 1, 0, 1},
                                                                       {1000, 10, huge, 0, 1},
                                                                       {1000, 10, 10, huge, 1},
                                                                       {1000, 10, 10, 0, huge},
                                                                       {(16 << 20) + 1, 1, 1, 0, 1},
                                                                       {1000, 10, 1001, 1, 5},
                                                                       {0, 0, 0, 0, 0},
                                                                       {}}) {
        auto const frame = with_header(numbers, rest);
        CHECK_FALSE(plain_size(frame).value_or(Bytes(0)) > limits::segment);
        CHECK(apply_delta({Digest{}, Bytes(1000)}, old.bytes(), frame).error().fault == Fault::damaged);
    }
}

TEST_CASE("a kind of delta that is not known here is damaged, and the message says so") {
    auto const error = apply_delta({Digest{}, Bytes(1000)}, {}, Buffer(200, std::byte{0xad})).error();
    CHECK(error.fault == Fault::damaged);
    CHECK(error.message.find("no kind that is known here") != std::string::npos);
}

TEST_CASE("a delta for programs that is being made stops when it is told to") {
    Program const old(9, {});
    std::stop_source stop;
    stop.request_stop();
    CHECK_FALSE(make_smallest_delta({old.bytes(), old.space()}, {old.bytes(), old.space()}, stop.get_token()));
}

TEST_CASE("what a node needs for the largest segment, base and delta fits into its memory") {
    auto const all = limits::delta_base + limits::segment;
    for (Bytes frame{}; frame <= MiB(14); frame += KiB(1))
        CHECK(memory_to_apply(limits::delta_base, limits::segment, frame) <= MiB(50));
    CHECK(memory_to_apply(limits::delta_base, limits::segment, KiB(100)) < all + MiB(4));
    CHECK(memory_to_apply(limits::delta_base, limits::segment, limits::segment + Bytes(1)) ==
          all + limits::segment + Bytes(1));
}

// ---- where bytes have gone ----

TEST_CASE("of several blocks with the same old bytes the longest says where they have gone") {
    BlockMap const map({{.from = 100, .to = 1000, .length = 50},
                        {.from = 120, .to = 5000, .length = 100},
                        {.from = 400, .to = 0, .length = 10}},
                       500);
    CHECK(map.find(99) == std::nullopt);
    CHECK(map.find(100) == 1000U);
    CHECK(map.find(119) == 1019U);
    CHECK(map.find(120) == 5000U);
    CHECK(map.find(219) == 5099U);
    CHECK(map.find(220) == std::nullopt);
    CHECK(map.find(409) == 9U);
    CHECK(map.find(4'000'000) == std::nullopt);
}

TEST_CASE("the map of any blocks says what looking through all of them says") {
    std::mt19937_64 random(10);
    for (int round = 0; round < 50; ++round) {
        std::vector<CopyBlock> blocks(random() % 40);
        for (auto& block : blocks) {
            block = {static_cast<std::uint32_t>(random() % 4000), static_cast<std::uint32_t>(random() % 9000),
                     static_cast<std::uint32_t>(1 + random() % 900)};
        }
        BlockMap const map(blocks, 5000);
        for (std::uint32_t from = 0; from < 5000; ++from) {
            CopyBlock const* longest = nullptr;
            for (auto const& block : blocks) {
                bool const holds = from >= block.from && from - block.from < block.length;
                if (holds && (longest == nullptr || block.length > longest->length)) longest = &block;
            }
            auto const expected = longest == nullptr ? std::nullopt : std::optional(from - longest->from + longest->to);
            if (map.find(from) != expected) FAIL("at " << from << " in round " << round);
        }
    }
}

TEST_CASE("the longest match is found that there is") {
    std::mt19937_64 random(11);
    for (int round = 0; round < 200; ++round) {
        Buffer text(random() % 300);
        for (auto& byte : text) byte = static_cast<std::byte>(random() % 3);
        Buffer pattern(2 + random() % 30);
        for (auto& byte : pattern) byte = static_cast<std::byte>(random() % 3);
        std::uint32_t longest = 0;
        for (std::size_t at = 0; at < text.size(); ++at)
            longest = std::max(longest, common_length(View(text).subspan(at), pattern));
        auto const match = SuffixArray(text).longest(pattern);
        if (longest >= 2) REQUIRE(match.length == longest);
        REQUIRE(common_length(View(text).subspan(match.at), pattern) >= match.length);
    }
}

TEST_CASE("blocks lie within old and new bytes, in order and apart, also of bytes that repeat themselves") {
    for (std::size_t const size : {0UL, 1UL, 2UL, 1000UL, 300'000UL}) {
        Buffer const old(size, std::byte{0});
        Buffer fresh(size + 77, std::byte{0});
        for (std::size_t at = 50; at < fresh.size(); at += 997) fresh[at] = std::byte{1};
        auto const blocks = find_blocks(old, fresh, {});
        REQUIRE(blocks);
        std::uint64_t end = 0;
        for (auto const& block : *blocks) {
            CHECK(block.to >= end);
            CHECK(block.length > 0);
            end = block.to + block.length;
            CHECK(block.from + block.length <= old.size());
        }
        CHECK(end <= fresh.size());
    }
}

// ---- programs ----

TEST_CASE("the headers of a program say where it lies when it runs") {
    Program const old(12, {});
    auto const parts = read_elf(old.bytes());
    REQUIRE(parts.size() == 2);
    CHECK(parts[0].executable);
    CHECK(parts[0].address == Program::code_address);
    CHECK(parts[1].in_memory > parts[1].in_file);
    CHECK(read_elf(View(old.bytes()).first(100)).empty());
    CHECK(read_elf(as_view("#!/bin/sh")).empty());
    auto other = old.bytes();
    other[18] = std::byte{3};  // another machine
    CHECK(read_elf(other).empty());
}

TEST_CASE("ranges that overlap or lie outside are left out, and an address space comes back as it was") {
    AddressSpace const space(
        {{{{0x1000, 100, 0, true}, {0x2000, 100, 50, false}, {0x3000, 100, 950, false}, {0x9000, 5000, {}, false}}}},
        1000);
    REQUIRE(space.places().size() == 1);
    CHECK(space.place_at(99) == space.places().data());
    CHECK(space.place_at(100) == nullptr);
    CHECK(space.place_of(0x1063) == space.places().data());
    CHECK(space.place_of(0x1064) == nullptr);
    Buffer bytes;
    space.encode(bytes);
    VarintReader reader(bytes);
    auto const read = AddressSpace::decode(reader, 1000);
    CHECK(reader.finished());
    CHECK(read.places().size() == 1);
    CHECK(read.places()[0].extent == space.places()[0].extent);
}

}  // namespace address_delta_test
