#include "broker/foreign_file.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/support/temporary_directory.hpp"

using namespace lull;
using namespace lull::broker;

TEST_CASE("the operator's reading is what the file says now, and nothing while it says nothing") {
    lull::test::TemporaryDirectory directory;
    Log log("test", LogLevel::error);
    auto const path = directory / "foreign";
    ForeignFile file(path, log);
    CHECK(file.read() == ByteRate());
    auto const written = [&](std::string_view text) {
        std::ofstream(path) << text;
        return file.read();
    };
    CHECK(written("8000000\n") == ByteRate(1'000'000));
    CHECK(written("1.6e7 bit/s") == ByteRate(2'000'000));
    for (auto const* text : {"", "much", "-5", "nan", "inf", "1e999"}) {
        INFO(text);
        CHECK(written(text) == ByteRate());
    }
}
