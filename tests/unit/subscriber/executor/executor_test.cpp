#include "subscriber/executor/executor.hpp"

#include <catch2/catch.hpp>

// The executor's decisions: what it refuses, what it prepares, and that nothing begins twice.

namespace lull::subscriber::test::executor_test {

namespace {

SoftwareName name(std::string_view text) { return *SoftwareName::parse(text); }

CallId id_of(unsigned number) {
    CallId id{};
    id[0] = static_cast<std::byte>(number);
    return id;
}

class Ports final : public ExecutorPorts {
public:
    void send(Message message) override { sent.push_back(std::move(message)); }
    void perform(CallAction action) override { done.push_back(std::move(action)); }
    void log(LogLevel, std::string) override {}
    void want(ReleaseId const&, Segment const& object) override { wanted[object.digest] = false; }
    void unwant(SoftwareName const&) override { wanted.clear(); }
    bool has_all(SoftwareName const&) const override {
        return std::ranges::all_of(wanted, [](auto const& entry) { return entry.second; });
    }
    std::map<Digest, ObjectShape> shapes(SoftwareName const&) const override { return {}; }

    template <class M>
    [[nodiscard]] std::vector<M> messages() const {
        std::vector<M> found;
        for (auto const& message : sent) {
            if (auto const* one = std::get_if<M>(&message)) found.push_back(*one);
        }
        return found;
    }
    template <class A>
    [[nodiscard]] std::vector<A> actions() const {
        std::vector<A> found;
        for (auto const& action : done) {
            if (auto const* one = std::get_if<A>(&action)) found.push_back(*one);
        }
        return found;
    }
    void forget() {
        sent.clear();
        done.clear();
    }

    std::vector<Message> sent;
    std::vector<CallAction> done;
    std::map<Digest, bool> wanted;  // whether it is here
};

struct Bench {
    explicit Bench(Bytes cache = MiB(10), std::uint64_t slots = 4) {
        ExecutorSettings settings{.architecture = native_architecture(),
                                  .trusted = TrustedKeys({key.public_key()}),
                                  .allowed = {name("app")},
                                  .slots = slots,
                                  .cache = cache};
        executor.emplace(std::move(settings), ports);
        executor->session_began();
        ports.forget();
    }

    [[nodiscard]] CallOffer offer(unsigned id, std::uint64_t seq = 1, std::string program = "bin/solve",
                                  std::string_view software = "app") const {
        UpdateInfo info{name(software), *VersionName::parse(fmt::format("{}.0", seq)), WallTime{1}, {}, {}};
        info.builds.push_back({native_architecture(), manifest(seq), Bytes(100), Bytes(1000), 3});
        info.callable = {"bin/solve"};
        return {id_of(id),
                *NodeName::parse("till-1"),
                {Seq{seq}, Seq{}, WallTime{1}, seal(encode(info), domain::update_info, key)},
                std::move(program),
                {},
                {10, {}}};
    }
    [[nodiscard]] static Digest manifest(std::uint64_t seq) { return sha256(as_view(fmt::format("manifest {}", seq))); }
    [[nodiscard]] static ReleaseId release(std::uint64_t seq) {
        return {name("app"), Seq{seq}, *VersionName::parse(fmt::format("{}.0", seq))};
    }

    void arrive() {
        for (auto& [digest, here] : ports.wanted) here = true;
        executor->object_arrived(name("app"));
    }
    // From an offer to CALL-READY, with a tree of this size.
    void prepare(unsigned id, std::uint64_t seq, Bytes size = MiB(1)) {
        executor->on(offer(id, seq));
        arrive();
        auto const plans = ports.actions<PlanCallTree>().size();
        executor->on(CallTreePlanned{release(seq), Plan{{}, {}, size}});
        bool const again = ports.actions<PlanCallTree>().size() > plans;  // without the tree that takes the room
        if (again) executor->on(CallTreePlanned{release(seq), Plan{{}, {}, size}});
        for (auto const& removal : ports.actions<RemoveCallTree>()) executor->on(CallTreeRemoved{removal.release, {}});
        executor->on(CallTreeReady{release(seq), {}});
    }
    void begin(unsigned id) {
        executor->on(CallGo{id_of(id)});
        executor->on(CallBegan{id_of(id), {}});
    }
    void end(unsigned id, CallRunEnded::How how = CallRunEnded::How::exited) {
        executor->on(CallEvent(CallRunEnded{id_of(id), how, 0, {}, {}}));
    }
    [[nodiscard]] CallState last_state() const {
        auto const states = ports.messages<CallState>();
        REQUIRE_FALSE(states.empty());
        return states.back();
    }

    SigningKey key = SigningKey::generate();
    Ports ports;
    std::optional<Executor> executor;
};

void check_refused(Bench const& bench, CallReason reason) {
    CHECK(bench.last_state().phase == CallPhase::refused);
    CHECK(bench.last_state().reason == reason);
    CHECK_FALSE(bench.last_state().text.empty());
    CHECK(bench.ports.done.empty());
}

}  // namespace

TEST_CASE("a session begins with what the owner allows") {
    Bench bench;
    bench.executor->session_began();
    REQUIRE(bench.ports.messages<Serve>().size() == 1);
    CHECK(bench.ports.messages<Serve>().front() == Serve{{name("app")}, 4});
}

TEST_CASE("a call needs the owner, the publisher, and a signature that is trusted") {
    Bench bench;
    SECTION("the owner does not allow the software") {
        bench.executor->on(bench.offer(1, 1, "bin/solve", "other"));
        check_refused(bench, CallReason::not_allowed);
    }
    SECTION("the release does not list the program") {
        bench.executor->on(bench.offer(1, 1, "bin/other"));
        check_refused(bench, CallReason::not_callable);
    }
    SECTION("somebody else has signed the release") {
        Bench const other;
        bench.executor->on(other.offer(1));
        check_refused(bench, CallReason::not_prepared);
    }
    SECTION("a program outside of the tree") {
        bench.executor->on(bench.offer(1, 1, "../bin/solve"));
        check_refused(bench, CallReason::invalid);
    }
    CHECK_FALSE(bench.executor->has_calls());
}

TEST_CASE("a release is fetched, planned and staged before the call is ready, and begins on the broker's word only") {
    Bench bench;
    bench.executor->on(bench.offer(1));
    CHECK(bench.ports.wanted.contains(Bench::manifest(1)));
    CHECK(bench.ports.done.empty());
    bench.arrive();
    REQUIRE(bench.ports.actions<PlanCallTree>().size() == 1);
    Segment const segment{sha256(as_view("segment")), Bytes(5)};
    bench.executor->on(CallTreePlanned{Bench::release(1), Plan{{segment}, {}, MiB(1)}});
    CHECK(bench.ports.actions<StageCallTree>().empty());
    bench.arrive();
    REQUIRE(bench.ports.actions<StageCallTree>().size() == 1);
    CHECK(bench.ports.sent.empty());
    bench.executor->on(CallTreeReady{Bench::release(1), {}});
    CHECK(bench.ports.messages<CallReady>().size() == 1);
    CHECK(bench.ports.actions<StartCall>().empty());
    bench.begin(1);
    REQUIRE(bench.ports.actions<StartCall>().size() == 1);
    CHECK(bench.ports.actions<StartCall>().front().time == std::chrono::seconds(10));
    CHECK(bench.last_state().phase == CallPhase::running);
    CHECK(bench.ports.messages<CallCredit>().back() == CallCredit{id_of(1), CallStream::in, limits::call_window});
}

TEST_CASE("no id begins twice, whatever comes again") {
    Bench bench;
    bench.prepare(1, 1);
    bench.begin(1);
    bench.executor->on(CallGo{id_of(1)});
    bench.executor->on(bench.offer(1));
    CHECK(bench.ports.actions<StartCall>().size() == 1);
    bench.end(1);
    bench.ports.forget();
    SECTION("in the same session") {}
    SECTION("in another session") {
        bench.executor->session_ended();
        bench.executor->session_began();
        bench.ports.forget();
    }
    bench.executor->on(bench.offer(1));
    check_refused(bench, CallReason::invalid);
    bench.executor->on(CallGo{id_of(1)});
    CHECK(bench.ports.actions<StartCall>().empty());
}

TEST_CASE("a call that was cancelled before it began never begins, and one that runs is stopped") {
    Bench bench;
    bench.prepare(1, 1);
    SECTION("before") {
        bench.executor->on(CallCancel{id_of(1), CallReason::caller_lost});
        CHECK(bench.last_state().phase == CallPhase::refused);
        bench.executor->on(CallGo{id_of(1)});
        CHECK(bench.ports.actions<StartCall>().empty());
    }
    SECTION("while it runs") {
        bench.begin(1);
        bench.executor->on(CallCancel{id_of(1), CallReason::caller_lost});
        CHECK(bench.ports.actions<StopCall>().size() == 1);
        bench.end(1, CallRunEnded::How::stopped);
        CHECK(bench.last_state().phase == CallPhase::ended);
        CHECK(bench.last_state().reason == CallReason::caller_lost);
        CHECK(bench.last_state().result->signal == 9);
    }
    CHECK_FALSE(bench.executor->has_calls());
}

TEST_CASE("everything ends with the session, and nothing is said about it in the next one") {
    Bench bench;
    bench.prepare(1, 1);
    bench.begin(1);
    bench.prepare(2, 1);
    bench.executor->on(bench.offer(3, 2));
    bench.ports.forget();
    bench.executor->session_ended();
    REQUIRE(bench.ports.actions<StopCall>().size() == 1);
    CHECK(bench.ports.actions<StopCall>().front().id == id_of(1));
    CHECK(bench.ports.sent.empty());
    CHECK(bench.ports.wanted.empty());
    bench.executor->session_began();
    bench.ports.forget();
    bench.executor->on(CallWrote{id_of(1), CallStream::out, Bytes(5)});
    bench.end(1, CallRunEnded::How::stopped);
    CHECK(bench.ports.sent.empty());
    CHECK(bench.ports.done.empty());
    CHECK_FALSE(bench.executor->has_calls());
}

TEST_CASE("a call of an earlier session that has not ended yet is refused if it is offered again") {
    Bench bench;
    bench.prepare(1, 1);
    bench.begin(1);
    bench.executor->session_ended();
    bench.executor->session_began();
    bench.ports.forget();
    bench.executor->on(bench.offer(1));
    check_refused(bench, CallReason::invalid);
    bench.end(1, CallRunEnded::How::stopped);
    CHECK_FALSE(bench.executor->has_calls());
}

TEST_CASE("output goes out within credit, and its end before the result") {
    Bench bench;
    bench.prepare(1, 1);
    bench.begin(1);
    bench.ports.forget();
    bench.executor->on(CallCredit{id_of(1), CallStream::out, KiB(10)});
    REQUIRE(bench.ports.actions<AllowOutput>().size() == 1);
    CHECK(bench.ports.actions<AllowOutput>().back().most == KiB(10));
    bench.executor->on(CallWrote{id_of(1), CallStream::out, Bytes(10)});  // takes 4 KiB of the credit
    CHECK(bench.ports.actions<SendOutput>().back().message == CallData{id_of(1), CallStream::out, Bytes(), false});
    CHECK(bench.ports.actions<AllowOutput>().back().most == KiB(6));
    bench.executor->on(CallWrote{id_of(1), CallStream::out, KiB(6)});
    CHECK(bench.ports.actions<SendOutput>().back().message.offset == Bytes(10));
    CHECK(bench.ports.actions<AllowOutput>().size() == 2);  // nothing is left
    bench.end(1);
    auto const ends = bench.ports.messages<CallData>();
    REQUIRE(ends.size() == 2);
    CHECK(ends[0] == CallData{id_of(1), CallStream::out, KiB(6) + Bytes(10), true});
    CHECK(ends[1] == CallData{id_of(1), CallStream::err, Bytes(), true});
    CHECK(type_of(bench.ports.sent.back()) == MessageType::call_state);
    CHECK(bench.last_state().result->status == 0);
}

TEST_CASE("input that no credit allows, or at the wrong offset, ends the call") {
    Bench bench;
    bench.prepare(1, 1);
    bench.begin(1);
    auto const send = [&](Bytes offset, Bytes size) {
        bench.executor->on(CallData{id_of(1), CallStream::in, offset, false}, size);
    };
    for (unsigned i = 0; i < 4; ++i) send(Bytes(i * limits::call_frame.count()), limits::call_frame);
    CHECK(bench.ports.actions<FeedCall>().size() == 4);
    SECTION("too much") { send(KiB(256), Bytes(1)); }
    SECTION("the wrong offset") {
        bench.executor->on(CallRead{id_of(1), KiB(256)});
        CHECK(bench.ports.messages<CallCredit>().back().permitted == KiB(512));
        send(KiB(255), Bytes(1));
    }
    CHECK(bench.ports.actions<FeedCall>().size() == 4);
    bench.end(1, CallRunEnded::How::stopped);
    CHECK(bench.last_state().reason == CallReason::broken_flow);
}

TEST_CASE("more calls than slots are refused, and a slot is free when its program is gone") {
    Bench bench(MiB(10), 2);
    bench.prepare(1, 1);
    bench.begin(1);
    bench.prepare(2, 1);
    bench.ports.forget();
    bench.executor->on(bench.offer(3, 1));
    check_refused(bench, CallReason::busy);
    bench.executor->on(CallCancel{id_of(1), CallReason::cancelled});
    bench.ports.forget();
    bench.executor->on(bench.offer(3, 1));
    CHECK(bench.last_state().reason == CallReason::busy);  // it has not ended yet
    bench.end(1, CallRunEnded::How::stopped);
    bench.ports.forget();
    bench.executor->on(bench.offer(3, 1));
    CHECK(bench.ports.messages<CallReady>().size() == 1);
}

TEST_CASE("many versions of a software stand side by side, and the one that was used longest ago goes first") {
    Bench bench(MiB(3));
    for (unsigned seq = 1; seq <= 3; ++seq) {
        bench.prepare(seq, seq);
        bench.begin(seq);
        bench.end(seq);
    }
    bench.prepare(4, 1);  // used again: the second is the oldest now
    CHECK(bench.ports.actions<RemoveCallTree>().empty());
    bench.prepare(5, 4);
    REQUIRE(bench.ports.actions<RemoveCallTree>().size() == 1);
    CHECK(bench.ports.actions<RemoveCallTree>().front().release == Bench::release(2));
    CHECK(bench.executor->cache().used() == MiB(3));
}

TEST_CASE("what a call uses is never removed: a call that finds no room is refused") {
    Bench bench(MiB(2));
    bench.prepare(1, 1);
    bench.prepare(2, 2);
    bench.begin(1);
    bench.ports.forget();
    bench.prepare(3, 3);
    CHECK(bench.ports.actions<RemoveCallTree>().empty());
    CHECK(bench.last_state().reason == CallReason::not_prepared);
    bench.end(1);
    bench.ports.forget();
    bench.prepare(4, 3);
    CHECK(bench.ports.actions<RemoveCallTree>().front().release == Bench::release(1));
    CHECK(bench.ports.messages<CallReady>().size() == 1);
}

TEST_CASE("a tree that an earlier process has left is verified first, and fetched anew if it is no good") {
    Bench bench;
    bench.executor->found_tree(Bench::release(1), MiB(1));
    bench.executor->on(bench.offer(1));
    REQUIRE(bench.ports.actions<VerifyCallTree>().size() == 1);
    CHECK(bench.ports.actions<VerifyCallTree>().front().manifest == Bench::manifest(1));
    CHECK(bench.ports.wanted.empty());
    SECTION("good") {
        bench.executor->on(CallTreeReady{Bench::release(1), {}});
        CHECK(bench.ports.messages<CallReady>().size() == 1);
    }
    SECTION("bad") {
        bench.executor->on(CallTreeReady{Bench::release(1), fail(Fault::damaged, "bin/solve: contents differ")});
        CHECK(bench.ports.messages<CallReady>().empty());
        CHECK(bench.ports.wanted.contains(Bench::manifest(1)));
    }
}

TEST_CASE(
    "an object that does not come, and a staging that fails, end the calls that wait for the tree, and no others") {
    Bench bench;
    bench.executor->on(bench.offer(1, 1));
    bench.executor->on(bench.offer(2, 2));
    bench.executor->object_lost(name("app"), {Fault::not_found, "the broker does not have it"});
    CHECK(bench.last_state().id == id_of(1));
    CHECK(bench.last_state().reason == CallReason::not_prepared);
    CHECK(bench.ports.wanted.contains(Bench::manifest(2)));
    bench.arrive();
    bench.executor->on(CallTreePlanned{Bench::release(2), Plan{{}, {}, MiB(1)}});
    bench.executor->on(CallTreeReady{Bench::release(2), fail(Fault::no_space, "the disk is full")});
    CHECK(bench.last_state().id == id_of(2));
    CHECK_FALSE(bench.executor->has_calls());
    CHECK_FALSE(bench.executor->acquiring());
}

TEST_CASE("a version gives its room to a newer one that would have been built from it") {
    Bench bench(MiB(3));
    bench.prepare(1, 1, MiB(2));
    bench.begin(1);
    bench.end(1);
    bench.ports.forget();
    bench.prepare(2, 2, MiB(2));
    auto const plans = bench.ports.actions<PlanCallTree>();
    REQUIRE(plans.size() == 2);
    CHECK(plans[0].materials.seed == Bench::release(1));
    CHECK_FALSE(plans[1].materials.seed);
    CHECK(bench.ports.actions<RemoveCallTree>().front().release == Bench::release(1));
    CHECK(bench.ports.messages<CallReady>().size() == 1);
}

TEST_CASE("a call whose sandbox could not be made is refused: nothing of it has run") {
    Bench bench;
    bench.prepare(1, 1);
    bench.begin(1);
    bench.ports.forget();
    bench.end(1, CallRunEnded::How::not_started);
    CHECK(bench.last_state().phase == CallPhase::refused);
    CHECK(bench.last_state().reason == CallReason::not_started);
    CHECK_FALSE(bench.last_state().result);
}

}  // namespace lull::subscriber::test::executor_test
