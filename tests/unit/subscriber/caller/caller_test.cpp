#include "subscriber/caller/caller.hpp"

#include <catch2/catch.hpp>

namespace lull::subscriber::test::caller_test {

namespace {

using namespace std::chrono_literals;

class Ports final : public CallerPorts {
public:
    void open_session() override { ++opened; }
    void close_session() override { ++closed; }
    void send(Message const& message, View payload) override { sent.emplace_back(message, to_buffer(payload)); }
    void output(ClientId, CallStream stream, View bytes) override {
        (stream == CallStream::out ? out : err) += as_text(bytes);
    }
    void more_input(ClientId) override { ++more; }
    void progress(ClientId, std::string text) override { said.push_back(std::move(text)); }
    void end(ClientId client, LocalEnd end) override { ends.emplace(client, std::move(end)); }

    template <class M>
    [[nodiscard]] std::vector<M> messages() const {
        std::vector<M> found;
        for (auto const& [message, payload] : sent) {
            if (auto const* one = std::get_if<M>(&message)) found.push_back(*one);
        }
        return found;
    }

    int opened = 0;
    int closed = 0;
    int more = 0;
    std::vector<std::pair<Message, Buffer>> sent;
    std::string out;
    std::string err;
    std::vector<std::string> said;
    std::map<ClientId, LocalEnd> ends;
};

CallId id_of(unsigned number) {
    CallId id{};
    id[0] = static_cast<std::byte>(number);
    return id;
}

struct Bench {
    Ports ports;
    Caller caller{"lull-node test", ports};
    Moment now{TimePoint(1000s), WallTime{1}};

    void ask(unsigned client) {
        caller.asked(client, id_of(client), {*SoftwareName::parse("app"), "bin/solve", {}, {}}, Seq{7}, now);
    }
    void open() {
        caller.session_ready(now);
        caller.heard(Welcome{Epoch{1}, Seq{9}, WallTime{1}, 42}, {}, now);
    }
    void state(unsigned client, CallPhase phase, std::optional<CallResult> result = {},
               std::optional<CallReason> reason = {}) {
        caller.heard(CallState{id_of(client), phase, result, reason, "the text", std::nullopt}, {}, now);
    }
    void output(unsigned client, CallStream stream, std::uint64_t offset, std::string_view text, bool last = false) {
        caller.heard(CallData{id_of(client), stream, Bytes(offset), last}, as_view(text), now);
    }
    void close_outputs(unsigned client, std::uint64_t out = 0) {
        output(client, CallStream::out, out, "", true);
        output(client, CallStream::err, 0, "", true);
    }
    [[nodiscard]] LocalEnd end(unsigned client) const {
        REQUIRE(ports.ends.contains(client));
        return ports.ends.at(client);
    }
};

}  // namespace

TEST_CASE("a call goes out when the session stands, in the version that was active") {
    Bench bench;
    bench.ask(1);
    CHECK(bench.ports.opened == 1);
    CHECK(bench.ports.sent.empty());
    bench.caller.session_ready(bench.now);
    CHECK(bench.ports.messages<CallOpen>().size() == 1);
    CHECK(bench.ports.messages<Call>().empty());
    bench.caller.heard(Welcome{Epoch{1}, Seq{9}, WallTime{1}, 42}, {}, bench.now);
    REQUIRE(bench.ports.messages<Call>().size() == 1);
    CHECK(bench.ports.messages<Call>().front().seq == Seq{7});
    CHECK(bench.ports.messages<Call>().front().life == 42);
    bench.ask(2);
    CHECK(bench.ports.opened == 1);
    CHECK(bench.ports.messages<Call>().size() == 2);
}

TEST_CASE("streams flow within credit, and the exit status is the program's") {
    Bench bench;
    bench.ask(1);
    bench.open();
    bench.state(1, CallPhase::running);
    REQUIRE(bench.ports.messages<CallCredit>().size() == 2);
    CHECK(bench.ports.messages<CallCredit>().front() == CallCredit{id_of(1), CallStream::out, limits::call_window});
    CHECK(bench.caller.input_left(1) == Bytes());
    bench.caller.heard(CallCredit{id_of(1), CallStream::in, KiB(8)}, {}, bench.now);
    CHECK(bench.ports.more == 1);
    CHECK(bench.caller.input_left(1) == KiB(8));
    bench.caller.wrote_input(1, as_view("in"));
    CHECK(bench.caller.input_left(1) == KiB(4));
    bench.caller.ended_input(1);
    CHECK(bench.ports.messages<CallData>().back() == CallData{id_of(1), CallStream::in, Bytes(2), true});
    bench.output(1, CallStream::out, 0, "out");
    bench.output(1, CallStream::err, 0, "err");
    CHECK(bench.ports.out == "out");
    CHECK(bench.ports.err == "err");
    bench.output(1, CallStream::out, 3, "", true);
    bench.output(1, CallStream::err, 3, "", true);
    bench.state(1, CallPhase::ended, CallResult{3, {}, 0, 0});
    CHECK(bench.end(1) == LocalEnd{3, ""});
}

TEST_CASE("input that ended before the program began ends when it has begun") {
    Bench bench;
    bench.ask(1);
    bench.open();
    bench.caller.ended_input(1);
    CHECK(bench.ports.messages<CallData>().empty());
    bench.state(1, CallPhase::running);
    REQUIRE(bench.ports.messages<CallData>().size() == 1);
    CHECK(bench.ports.messages<CallData>().front().last);
}

TEST_CASE("credit grows with what the command has taken") {
    Bench bench;
    bench.ask(1);
    bench.open();
    bench.state(1, CallPhase::running);
    std::string const block(64U << 10, 'x');
    for (std::uint64_t i = 0; i < 4; ++i) bench.output(1, CallStream::out, i * block.size(), block);
    CHECK(bench.ports.messages<CallCredit>().size() == 2);
    bench.caller.took(1, CallStream::out, KiB(64));
    CHECK(bench.ports.messages<CallCredit>().back().permitted == KiB(320));
    SECTION("more than that ends the session, and the call is unknown") {
        bench.output(1, CallStream::out, 4 * block.size(), block);
        bench.output(1, CallStream::out, 5 * block.size(), "x");
        CHECK(bench.ports.closed == 1);
        CHECK(bench.end(1).status == 1);
    }
}

TEST_CASE("each end has its exit status and says what happened") {
    CHECK(end_of({id_of(1), CallPhase::ended, CallResult{0, {}, 0, 0}}) == LocalEnd{0, ""});
    auto const killed = end_of({id_of(1), CallPhase::ended, CallResult{{}, 9, 0, 0}, CallReason::time_limit});
    CHECK(killed.status == 137);
    CHECK(killed.message.find(to_text(CallReason::time_limit)) != std::string::npos);
    auto const refused = end_of({id_of(1), CallPhase::refused, {}, CallReason::not_callable, "bin/x"});
    CHECK(refused.status == 4);
    CHECK(refused.message.find("bin/x") != std::string::npos);
    auto const unknown = end_of({id_of(1), CallPhase::unknown, {}, CallReason::executor_lost});
    CHECK(unknown.status == 1);
    CHECK(unknown.message.find("unknown, not repeated") == 0);
}

TEST_CASE("a result without the end of the outputs is no result") {
    Bench bench;
    bench.ask(1);
    bench.open();
    bench.state(1, CallPhase::running);
    bench.output(1, CallStream::out, 0, "a part");
    bench.state(1, CallPhase::ended, CallResult{0, {}, 0, 0});
    CHECK(bench.end(1).status == 1);
    CHECK(bench.end(1).message.find("lost") != std::string::npos);
}

TEST_CASE("what was sent when the session is lost is unknown; what was not sent has never begun") {
    Bench bench;
    bench.ask(1);
    SECTION("sent") {
        bench.open();
        bench.caller.session_lost("gone", bench.now);
        CHECK(bench.end(1).status == 1);
        CHECK(bench.end(1).message.find("unknown, not repeated") == 0);
    }
    SECTION("not sent") {
        bench.caller.session_lost("gone", bench.now);
        CHECK(bench.end(1).status == 3);
    }
    SECTION("no answer at all") {
        bench.caller.session_ready(bench.now);
        bench.now.point = *bench.caller.wake();
        bench.caller.on_time(bench.now);
        CHECK(bench.end(1).status == 3);
    }
    SECTION("a broker that is too old") {
        bench.caller.session_ready(bench.now);
        bench.caller.heard(Welcome{Epoch{1}, Seq{9}, WallTime{1}, std::nullopt}, {}, bench.now);
        CHECK(bench.end(1).status == 3);
    }
    CHECK(bench.ports.closed == 1);
    CHECK(bench.caller.calls() == 0);
    bench.ask(2);
    CHECK(bench.ports.opened == 2);
}

TEST_CASE("a command that is gone cancels its call, and hears no more of it") {
    Bench bench;
    bench.ask(1);
    SECTION("before it was sent") {
        bench.caller.gone(1, bench.now);
        bench.open();
        CHECK(bench.ports.messages<Call>().empty());
    }
    SECTION("while it runs") {
        bench.open();
        bench.state(1, CallPhase::running);
        bench.caller.gone(1, bench.now);
        CHECK(bench.ports.messages<CallCancel>().size() == 1);
        bench.output(1, CallStream::out, 0, "late");
        bench.close_outputs(1, 4);
        bench.state(1, CallPhase::ended, CallResult{{}, 9, 0, 0});
        CHECK(bench.ports.out.empty());
        CHECK(bench.ports.ends.empty());
    }
    CHECK(bench.caller.calls() == 0);
}

TEST_CASE("the session ends when it has been idle, and pings while a call is under way") {
    Bench bench;
    bench.ask(1);
    bench.open();
    bench.state(1, CallPhase::running);
    bench.now.point = *bench.caller.wake();
    bench.caller.on_time(bench.now);
    CHECK(bench.ports.messages<Ping>().size() == 1);
    bench.caller.heard(Pong{0, {}}, {}, bench.now);
    bench.close_outputs(1);
    bench.state(1, CallPhase::ended, CallResult{0, {}, 0, 0});
    bench.now.point = *bench.caller.wake();
    bench.caller.on_time(bench.now);
    CHECK(bench.ports.closed == 1);
    CHECK_FALSE(bench.caller.wake());
}

TEST_CASE("frames between a command and the daemon are cut from any pieces, and too long ones are refused") {
    LocalFrames frames;
    auto bytes = local_frame(LocalFrame::input, as_view("abc"));
    auto const second = local_frame(LocalFrame::input_end, {});
    bytes.insert(bytes.end(), second.begin(), second.end());
    std::vector<LocalFrame> types;
    for (auto const byte : bytes) {
        frames.add(View(&byte, 1));
        auto const frame = frames.next();
        REQUIRE(frame);
        if (*frame) types.push_back((*frame)->type);
    }
    CHECK(types == std::vector{LocalFrame::input, LocalFrame::input_end});
    CHECK(frames.empty());
    frames.add(as_view("I\xff\xff\xff\xff"));
    CHECK_FALSE(frames.next());
}

}  // namespace lull::subscriber::test::caller_test
