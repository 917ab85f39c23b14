#include "store/pack_files.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>

#include <thread>

#include "store/pack_format.hpp"
#include "store/packs.hpp"
#include "tests/support/temporary_directory.hpp"

namespace pack_files_test {

using namespace lull;
using namespace lull::store;
using lull::test::TemporaryDirectory;

namespace {

constexpr std::uint64_t store_id = 0xabcdef;

void write_pack(fs::path const& directory, std::uint32_t number, View contents, std::uint64_t store = store_id) {
    auto const path = directory / pack_name(number);
    auto const file = open_file(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (!file) throw std::runtime_error(file.error().message);
    auto status = write_exactly(file->get(), 0, encode(PackHeader{number, store}), path);
    if (status) status = write_exactly(file->get(), PackHeader::size, contents, path);
    if (!status) throw std::runtime_error(status.error().message);
}

std::size_t open_descriptors() {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

std::string contents_of(Pack const& pack, std::size_t size) {
    Buffer bytes(size);
    auto const status = pack.read(Bytes(PackHeader::size), bytes);
    return status ? std::string(as_text(bytes)) : status.error().message;
}

std::string text_of(std::uint32_t number) { return fmt::format("contents of {:06}", number); }
constexpr std::size_t text_size = 18;

}  // namespace

TEST_CASE("of 10,000 packs that several threads read, no more than 64 stay open") {
    constexpr std::uint32_t packs = 10'000;
    constexpr std::size_t most_open = 64;
    constexpr std::size_t threads = 4;
    TemporaryDirectory const directory;
    for (std::uint32_t i = 1; i <= packs; ++i) write_pack(directory.path(), i, as_view(text_of(i)));
    PackFiles files(directory.path(), store_id, most_open);
    std::vector<PackFile> handles;
    for (std::uint32_t i = 1; i <= packs; ++i) handles.push_back(files.get(i));
    auto const before = open_descriptors();
    std::atomic<std::uint32_t> next = 0;
    std::atomic<std::size_t> wrong = 0;
    std::atomic<std::size_t> most = 0;
    std::vector<std::thread> readers;
    for (std::size_t t = 0; t < threads; ++t) {
        readers.emplace_back([&] {
            for (auto i = next++; i < 2 * packs; i = next++) {
                auto const number = i * 7919 % packs + 1;  // every pack twice, far from its neighbours
                if (contents_of(*handles[number - 1], text_size) != text_of(number)) ++wrong;
                if (i % 500 == 0) most = std::max<std::size_t>(most, open_descriptors());
            }
        });
    }
    for (auto& reader : readers) reader.join();
    CHECK(wrong == 0);
    CHECK(files.open_now() == most_open);
    CHECK(open_descriptors() <= before + most_open);
    CHECK(most <= before + most_open + 2 * threads);  // those that are read from, and the look at them
}

TEST_CASE("the pack that was not read for the longest time is closed first") {
    TemporaryDirectory const directory;
    for (std::uint32_t i = 1; i <= 3; ++i) write_pack(directory.path(), i, as_view(text_of(i)));
    PackFiles files(directory.path(), store_id, 2);
    CHECK(contents_of(*files.get(1), text_size) == text_of(1));
    CHECK(contents_of(*files.get(2), text_size) == text_of(2));
    CHECK(contents_of(*files.get(1), text_size) == text_of(1));
    CHECK(contents_of(*files.get(3), text_size) == text_of(3));  // closes the second
    for (std::uint32_t i = 1; i <= 3; ++i) fs::remove(directory / pack_name(i));
    CHECK(contents_of(*files.get(1), text_size) == text_of(1));
    CHECK(contents_of(*files.get(3), text_size) == text_of(3));
    CHECK_THAT(contents_of(*files.get(2), text_size), Catch::Contains("it is missing"));
}

TEST_CASE("a handle touches no file, and a pack that is none, or another one, is called damaged when it is read") {
    TemporaryDirectory const directory;
    write_pack(directory.path(), 1, as_view("x"), store_id + 1);
    write_pack(directory.path(), 2, as_view("x"));
    fs::rename(directory / pack_name(2), directory / pack_name(3));
    PackFiles files(directory.path(), store_id, 8);
    auto const absent = files.get(9);
    CHECK(files.open_now() == 0);
    Buffer byte(1);
    CHECK(absent->read(Bytes(24), byte).error().fault == Fault::damaged);
    CHECK_THAT(files.get(1)->read(Bytes(24), byte).error().message, Catch::Contains("another database"));
    CHECK_THAT(files.get(3)->read(Bytes(24), byte).error().message, Catch::Contains("number 2 by its header"));
    CHECK(files.open_now() == 0);
}

TEST_CASE("a pack that is removed while it is read stays whole until its last handle is gone") {
    TemporaryDirectory const directory;
    for (std::uint32_t i = 1; i <= 4; ++i) write_pack(directory.path(), i, as_view(text_of(i)));
    PackFiles files(directory.path(), store_id, 1);
    auto reading = files.get(1);
    auto removed = files.remove(1);
    CHECK(contents_of(*files.get(2), text_size) == text_of(2));  // takes the only descriptor
    removed.reset();
    CHECK(contents_of(*reading, text_size) == text_of(1));
    CHECK(fs::exists(directory / pack_name(1)));
    reading.reset();
    CHECK_FALSE(fs::exists(directory / pack_name(1)));
    CHECK(files.open_now() == 0);
    files.remove(3).reset();
    CHECK_FALSE(fs::exists(directory / pack_name(3)));
    CHECK(fs::exists(directory / pack_name(4)));
}

TEST_CASE("a store of 10,000 packs opens, finds and reads its objects with 64 descriptors") {
    constexpr std::uint32_t packs = 10'000;
    TemporaryDirectory const directory;
    fs::create_directory(directory / "packs");
    auto environment = Environment::open({.directory = directory / "db", .tables = {Packs::table}}).value();
    {
        auto const empty = Packs::open({.directory = directory / "packs"}, environment);
        REQUIRE(empty);  // gives the database its identity
    }
    auto const identity = number_of(environment.get("meta", as_view("packs")).value().value()).value();
    std::vector<ObjectShape> shapes;
    Batch index;
    for (std::uint32_t i = 1; i <= packs; ++i) {
        auto const text = text_of(i);
        ObjectShape const shape{sha256(as_view(text)), ObjectCodec::raw, Bytes(text.size()), Bytes(text.size())};
        auto const header = encode_object_header(shape);
        Buffer record(header.begin(), header.end());
        std::ranges::copy(as_view(text), std::back_inserter(record));
        write_pack(directory / "packs", i, record, identity);
        index.push_back(Packs::index_change({i, Bytes(PackHeader::size + object_header_size), shape}));
        shapes.push_back(shape);
    }
    REQUIRE(environment.apply(index));
    auto const before = open_descriptors();
    auto opened = Packs::open({.directory = directory / "packs"}, environment);
    REQUIRE(opened);
    CHECK(opened->uses().size() == packs);
    std::size_t wrong = 0;
    std::size_t most = 0;
    for (std::uint32_t i = 1; i <= packs; ++i) {
        auto const plain = opened->read_plain(shapes[i - 1].object, KiB(1));
        if (!plain || as_text(*plain) != text_of(i)) ++wrong;
        most = std::max(most, opened->open_now());
        if (opened->objects_in(i).size() != 1) ++wrong;
    }
    CHECK(wrong == 0);
    CHECK(most == 64);
    CHECK(open_descriptors() <= before + 64 + 1);  // and the pack that is appended to
}

}  // namespace pack_files_test
