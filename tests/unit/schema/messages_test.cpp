#include "schema/messages.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "schema/wire.hpp"
#include "tests/unit/schema/samples.hpp"

namespace messages_test {

// What holds for every message and every field of it, by way of `describe`.

using namespace lull;
using namespace lull::test;

namespace {

enum class Change { leave_out, replace, write_twice };

template <class T>
constexpr bool is_optional = codec::IsOptional<std::remove_cvref_t<T>>::value;

// Writes the fields of a message but for one, which it leaves out, replaces by a value of another type, or repeats.
struct ChangingWriter {
    Encoder& out;
    Change change;
    std::size_t changed;
    std::size_t index = 0;
    std::string key{};
    bool optional = false;

    template <class T>
    void operator()(char const* name, T const& value) {
        codec::FieldWriter plain{out};
        if (index++ != changed) return plain(name, value);
        key = name;
        optional = is_optional<T>;
        if (change == Change::leave_out) return;
        if (change == Change::write_twice) {
            plain(name, value);
            return plain(name, value);
        }
        out.text(name);
        if constexpr (std::is_same_v<T, bool>) {
            out.number(1);
        } else {
            out.boolean(true);
        }
        out.text("nothing reads this key");
        out.map(0);
    }
};

struct Changed {
    Buffer body;
    std::string key;
    bool optional = false;
};

template <class M>
std::size_t field_count(M const& message) {
    codec::FieldCounter counter;
    M::describe(message, counter);
    return counter.count;
}

template <class M>
Changed changed_body(M const& message, Change change, std::size_t field) {
    Encoder out;
    auto const fields = field_count(message);  // samples have every optional field
    out.map(change == Change::leave_out ? fields - 1 : fields + 1);
    ChangingWriter writer{out, change, field};
    M::describe(message, writer);
    return {out.take(), writer.key, writer.optional};
}

template <class Check>
void for_each_change(Change change, Check check) {
    for (auto const& message : messages()) {
        std::visit(
            [&]<class M>(M const& m) {
                for (std::size_t field = 0; field < field_count(m); ++field) {
                    auto const changed = changed_body(m, change, field);
                    INFO(to_text(M::type) << " with '" << changed.key << "' changed");
                    check(M::type, changed);
                }
            },
            message);
    }
}

void check_names_field(Result<Message> const& result, std::string const& key, std::string const& reason) {
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().fault == Fault::damaged);
    CHECK(result.error().message.find("field '" + key + "'") != std::string::npos);
    CHECK(result.error().message.find(reason) != std::string::npos);
}

}  // namespace

TEST_CASE("there is a sample of every message, with every field filled") {
    std::set<MessageType> seen;
    for (auto const& message : messages()) seen.insert(type_of(message));
    CHECK(seen.size() == std::variant_size_v<AnyMessage>);
    CHECK(messages().size() == std::variant_size_v<AnyMessage>);
}

TEST_CASE("numbers and names of messages are distinct") {
    std::set<std::string_view> names;
    for (auto const& message : messages()) names.insert(to_text(type_of(message)));
    CHECK(names.size() == std::variant_size_v<AnyMessage>);
    CHECK(names.count("unknown message") == 0);
}

TEST_CASE("a required field that is missing is named, an optional one may be") {
    for_each_change(Change::leave_out, [](MessageType type, Changed const& changed) {
        auto const result = wire::decode_body(type, changed.body);
        if (changed.optional) {
            CHECK(result.has_value());
        } else {
            check_names_field(result, changed.key, "is missing");
        }
    });
}

TEST_CASE("a field of the wrong type is named") {
    for_each_change(Change::replace, [](MessageType type, Changed const& changed) {
        check_names_field(wire::decode_body(type, changed.body), changed.key, "this is no ");
    });
}

TEST_CASE("a field that stands twice is refused") {
    for_each_change(Change::write_twice, [](MessageType type, Changed const& changed) {
        check_names_field(wire::decode_body(type, changed.body), changed.key, "stands twice");
    });
}

TEST_CASE("every message is refused when it is cut anywhere") {
    for (auto const& message : messages()) {
        auto const body = wire::encode_body(message);
        CAPTURE(to_text(type_of(message)));
        for (std::size_t size = 0; size < body.size(); ++size) {
            CHECK_FALSE(wire::decode_body(type_of(message), View(body).first(size)).has_value());
        }
    }
}

TEST_CASE("every message is refused with a byte too many") {
    for (auto const& message : messages()) {
        auto body = wire::encode_body(message);
        body.push_back(std::byte{0xc0});
        auto const result = wire::decode_body(type_of(message), body);
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().message.find("1 bytes follow the end") != std::string::npos);
    }
}

TEST_CASE("every message is refused as any other value than a map") {
    for (auto const& message : messages()) {
        for (unsigned const value : {0x00u, 0xffu, 0xc0u, 0xc3u, 0x90u, 0xa0u}) {
            CHECK_FALSE(wire::decode_body(type_of(message), Buffer{static_cast<std::byte>(value)}).has_value());
        }
    }
}

TEST_CASE("optional fields that are empty do not cross the wire and come back empty") {
    Report report;
    report.software = named<SoftwareName>("a");
    CHECK(decode<Report>(encode(report), limits::control_message) == report);
    Admin const admin;
    CHECK(decode<Admin>(encode(admin), limits::control_message) == admin);
    CHECK(encode(admin).size() == 1 + 2 * 3);
}

TEST_CASE("an enumerator that does not exist is refused with its field") {
    auto refused = Refused{static_cast<Refusal>(8), "x"};
    check_names_field(wire::decode_body(MessageType::refused, encode(refused)), "r",
                      "8 is none of the known values 0 to 7");
    auto report = Report{};
    report.software = named<SoftwareName>("a");
    report.state = static_cast<NodeState>(14);
    check_names_field(wire::decode_body(MessageType::report, encode(report)), "s", "14 is none");
}

TEST_CASE("a bad name inside of a message is refused with its field") {
    auto hello = Hello{};
    check_names_field(wire::decode_body(MessageType::hello, encode(hello)), "n", "is no name of a node");
}

TEST_CASE("states have the words of the ledger") {
    std::vector<std::string_view> words;
    for (unsigned i = 0; i <= static_cast<unsigned>(enum_last(NodeState{})); ++i)
        words.push_back(to_text(static_cast<NodeState>(i)));
    CHECK(words == std::vector<std::string_view>{"undistributed", "announced", "queued", "fetching", "staged",
                                                 "waiting", "active", "failed", "rolled-back", "superseded", "held",
                                                 "switching", "verifying", "removed"});
}

}  // namespace messages_test
