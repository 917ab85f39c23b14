#include "schema/call_id.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "core/text.hpp"
#include "schema/limits.hpp"

namespace call_test {

using namespace lull;

namespace {

template <class Enum>
std::set<std::string_view> words_of() {
    std::set<std::string_view> words;
    for (unsigned i = 0; i <= static_cast<unsigned>(enum_last(Enum{})); ++i)
        words.insert(to_text(static_cast<Enum>(i)));
    return words;
}

void check_refused(Status const& status, std::string const& reason) {
    REQUIRE_FALSE(status);
    CHECK(status.error().fault == Fault::refused);
    CHECK(status.error().message.find(reason) != std::string::npos);
}

}  // namespace

TEST_CASE("phases, reasons and streams of a call have words of their own") {
    CHECK(words_of<CallPhase>() ==
          std::set<std::string_view>{"queued", "preparing", "running", "ended", "refused", "unknown"});
    CHECK(words_of<CallReason>().size() == static_cast<std::size_t>(enum_last(CallReason{})) + 1);
    CHECK(words_of<CallReason>().count("unknown reason") == 0);
    CHECK(words_of<CallStream>() == std::set<std::string_view>{"stdin", "stdout", "stderr"});
}

TEST_CASE("only what ended, was refused or is unknown is final") {
    CHECK_FALSE(is_final(CallPhase::queued));
    CHECK_FALSE(is_final(CallPhase::preparing));
    CHECK_FALSE(is_final(CallPhase::running));
    CHECK(is_final(CallPhase::ended));
    CHECK(is_final(CallPhase::refused));
    CHECK(is_final(CallPhase::unknown));
}

TEST_CASE("the ids of calls rise with time, and two of one instant differ") {
    CHECK(new_call_id(WallTime{5}) != new_call_id(WallTime{5}));
    CHECK(new_call_id(WallTime{255}) < new_call_id(WallTime{256}));
    CHECK(to_hex(new_call_id(WallTime{0x0102030405060708})).starts_with("0102030405060708"));
}

TEST_CASE("a call names a program of the tree or none, and arguments within bounds") {
    CHECK(validate_call("", {}, {}));
    CHECK(validate_call("bin/solve", std::vector<Buffer>(limits::call_arguments), {1, Bytes(0)}));
    CHECK(validate_call("bin/solve", {Buffer(limits::call_argument_bytes.count(), std::byte{0xff})}, {}));
    CHECK(validate_call("bin/solve", {}, {limits::call_seconds, {}}));
    check_refused(validate_call("../bin/sh", {}, {}), "..");
    check_refused(validate_call("/bin/sh", {}, {}), "absolute");
    check_refused(validate_call("", std::vector<Buffer>(257), {}), "257 arguments are more than the 256");
    check_refused(validate_call("", {Buffer(40'000, std::byte{1}), Buffer(25'537, std::byte{1})}, {}),
                  "65537 bytes of arguments are more than the 65536");
    check_refused(validate_call("", {Buffer{std::byte{1}, std::byte{0}}}, {}), "zero byte");
    check_refused(validate_call("", {}, {0, {}}), "a time limit of 0 s");
    check_refused(validate_call("", {}, {limits::call_seconds + 1, {}}), "604801 s; it has to be 1 to 604800");
}

}  // namespace call_test
