#include "schema/wire.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/schema/samples.hpp"

namespace wire_test {

using namespace lull;
using namespace lull::test;

namespace {

template <class T>
void check_damaged(Result<T> const& result, std::string const& reason) {
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().fault == Fault::damaged);
    CHECK(result.error().message.find(reason) != std::string::npos);
}

Buffer bytes(std::initializer_list<unsigned> values) {
    Buffer out;
    for (auto const value : values) out.push_back(static_cast<std::byte>(value));
    return out;
}

template <class M>
void check_too_many(M message, std::string const& reason) {
    check_damaged(wire::decode_body(M::type, encode(message)), reason);
}

}  // namespace

TEST_CASE("every message survives header and body") {
    for (auto const& message : messages()) {
        auto const type = wire::decode_header(wire::encode_header(type_of(message)));
        CAPTURE(to_text(type_of(message)));
        REQUIRE(type == type_of(message));
        CHECK(wire::decode_body(*type, wire::encode_body(message)) == message);
    }
}

TEST_CASE("a header is version, type and flags, and nothing else") {
    CHECK(wire::encode_header(MessageType::hello) == bytes({1, 20, 0}));
    check_damaged(wire::decode_header(bytes({})), "empty");
    check_damaged(wire::decode_header(bytes({1})), "1 bytes instead of 3");
    check_damaged(wire::decode_header(bytes({1, 20})), "2 bytes instead of 3");
    check_damaged(wire::decode_header(bytes({1, 20, 0, 0})), "4 bytes instead of 3");
    check_damaged(wire::decode_header(bytes({1, 20, 1})), "unknown flags (0x01)");
    check_damaged(wire::decode_header(bytes({1, 20, 0x80})), "unknown flags (0x80)");
}

TEST_CASE("another protocol version is named, whatever follows it") {
    check_damaged(wire::decode_header(bytes({2, 20, 0})), "speaks protocol version 2, this is version 1: update lull");
    check_damaged(wire::decode_header(bytes({0, 20, 0})), "speaks protocol version 0");
    check_damaged(wire::decode_header(bytes({3, 20, 0, 9, 9})), "speaks protocol version 3");
}

TEST_CASE("the types that are known are those of the messages") {
    std::size_t known = 0;
    for (unsigned number = 0; number < 256; ++number) {
        auto const type = wire::decode_header(bytes({1, number, 0}));
        CAPTURE(number);
        if (type) {
            ++known;
            CHECK(to_text(*type) != "unknown message");
        } else {
            check_damaged(type, "message type " + std::to_string(number) + " is unknown");
            check_damaged(wire::decode_body(static_cast<MessageType>(number), bytes({0x80})), "is unknown");
        }
    }
    CHECK(known == std::variant_size_v<AnyMessage>);
}

TEST_CASE("announcements carry topic, header and body in one frame") {
    Message const head = Head{Epoch{1}, Seq{2}, WallTime{3}, 4};
    auto const frame = wire::encode_announcement(head);
    CHECK(as_text(frame).starts_with("all/\x01\x02"));
    CHECK(wire::decode_announcement(frame) == head);
    Message const update = Update{Epoch{1}, log_entry()};
    CHECK(wire::decode_announcement(wire::encode_announcement(update)) == update);
}

TEST_CASE("orders for one node go to a topic of its own") {
    Message const own = Orders{named<NodeName>("till-17"), 3, std::nullopt, std::nullopt, {}};
    auto const frame = wire::encode_announcement(own);
    CHECK(as_text(frame).starts_with(wire::topic_of(named<NodeName>("till-17"))));
    CHECK(as_text(frame).starts_with("node/till-17/\x01\x34"));
    CHECK(wire::decode_announcement(frame) == own);
    Message const for_all = Orders{std::nullopt, 3, 2, std::nullopt, {}};
    CHECK(as_text(wire::encode_announcement(for_all)).starts_with("all/"));
    CHECK(wire::decode_announcement(wire::encode_announcement(for_all)) == for_all);
    for (std::size_t size = 0; size < frame.size(); ++size)
        CHECK_FALSE(wire::decode_announcement(View(frame).first(size)));
    check_damaged(wire::decode_announcement(as_view("node/../\x01\x34")),
                  "begins neither with 'all/' nor with 'node/NAME/'");
}

TEST_CASE("only UPDATE, HEAD and ORDERS are announcements") {
    for (auto const& message : messages()) {
        auto const type = type_of(message);
        if (type == MessageType::update || type == MessageType::head || type == MessageType::orders) continue;
        auto frame = to_buffer(as_view(wire::everybody));
        for (auto const byte : wire::encode_header(type)) frame.push_back(byte);
        for (auto const byte : wire::encode_body(message)) frame.push_back(byte);
        check_damaged(wire::decode_announcement(frame), "is no announcement");
    }
}

TEST_CASE("an announcement that is cut anywhere or has a foreign topic is refused") {
    auto const frame = wire::encode_announcement(Update{Epoch{1}, log_entry()});
    for (std::size_t size = 0; size < frame.size(); ++size) {
        CHECK_FALSE(wire::decode_announcement(View(frame).first(size)).has_value());
    }
    auto foreign = frame;
    foreign[0] = std::byte{'g'};
    check_damaged(wire::decode_announcement(foreign), "begins neither with 'all/'");
}

TEST_CASE("more elements than a message may carry are refused") {
    Update update{Epoch{1}, log_entry()};
    update.entry.update.signatures.resize(limits::signatures + 1);
    check_too_many(update, "17 signatures");
    check_too_many(Offer{named<SoftwareName>("a"), named<VersionName>("1"), std::vector<Build>(33, build())},
                   "33 builds");
    check_too_many(Need{named<SoftwareName>("a"), named<VersionName>("1"), std::vector<Digest>(1025), 0},
                   "1025 objects");
    check_too_many(Fetch{named<SoftwareName>("a"), Seq{1}, std::vector<FetchItem>(1025)}, "1025 objects");
    check_too_many(LogPage{Epoch{1}, Seq{0}, std::vector<LogEntry>(129), Seq{129}}, "129 log entries");
    check_too_many(Snapshot{Epoch{1}, {}, std::vector<LogEntry>(129), Seq{129}, {}}, "129 releases");
    Report report;
    report.software = named<SoftwareName>("a");
    report.holders.resize(limits::holders_per_report + 1, holder());
    check_too_many(report, "17 holders");
    Answer answer;
    answer.nodes.resize(limits::rows_per_answer + 1, NodeRow{named<NodeName>("n"), {}, {}, false, ""});
    check_too_many(answer, "501 rows");
    answer.nodes.clear();
    answer.calls.emplace(limits::rows_per_answer + 1, CallRow{.caller = named<NodeName>("n"),
                                                              .software = named<SoftwareName>("a"),
                                                              .version = named<VersionName>("1")});
    check_too_many(answer, "501 rows");
    check_too_many(Serve{std::vector<SoftwareName>(257, named<SoftwareName>("a")), 1}, "257 pieces of software");
    check_too_many(Serve{{}, limits::call_slots + 1}, "1025 slots");
    Call call;
    call.software = named<SoftwareName>("a");
    call.arguments.resize(257);
    check_too_many(call, "257 arguments");
    call.arguments = {Buffer(30'000), Buffer(35'537)};
    check_too_many(call, "65537 bytes of arguments");
    CallOffer offer;
    offer.caller = named<NodeName>("n");
    offer.arguments.resize(257);
    check_too_many(offer, "257 arguments");
    offer.arguments.clear();
    offer.entry.update.signatures.resize(limits::signatures + 1);
    check_too_many(offer, "17 signatures");
}

TEST_CASE("as many elements as a message may carry are accepted") {
    Message const need = Need{named<SoftwareName>("a"), named<VersionName>("1"), std::vector<Digest>(1024), 7};
    CHECK(wire::decode_body(MessageType::need, wire::encode_body(need)) == need);
    Message const fetch = Fetch{named<SoftwareName>("a"), Seq{1}, std::vector<FetchItem>(1024)};
    CHECK(wire::decode_body(MessageType::fetch, wire::encode_body(fetch)) == fetch);
}

TEST_CASE("a body over its bound is refused unread") {
    Buffer const large(limits::control_message.count() + 1, std::byte{0xc0});
    check_damaged(wire::decode_body(MessageType::ping, large),
                  "cannot read PING: a body of 1048577 bytes is larger than 1048576");
}

}  // namespace wire_test
