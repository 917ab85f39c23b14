#include "publisher/client/upload.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

namespace upload_test {

using namespace lull;
using namespace lull::publisher;
using namespace std::chrono_literals;

namespace {

Digest digest(int number) { return sha256(as_view(std::to_string(number))); }

SoftwareName software() { return SoftwareName::parse("app").value(); }
VersionName version() { return VersionName::parse("1.0").value(); }

// A release of `count` objects; number 0 is its manifest.
Publication publication(int count, Bytes size = MiB(1)) {
    Publication publication;
    publication.offer = {software(), version(), {}};
    publication.update_info.payload = to_buffer(as_view("update-info"));
    for (int i = 0; i < count; ++i) publication.objects[digest(i)] = size;
    return publication;
}

Need need(std::vector<int> const& numbers, std::uint64_t more = 0) {
    Need need{software(), version(), {}, more};
    for (int const number : numbers) need.objects.push_back(digest(number));
    return need;
}

ObjectShape shape(int number, Bytes stored, Bytes plain = MiB(1)) {
    return {digest(number), ObjectCodec::zstd, stored, plain};
}

// An upload and its clock.
struct Bench {
    explicit Bench(Publication what = publication(6), UploadTimes times = {}) : upload(std::move(what), times, now) {}

    Actions on(Event const& event) { return upload.on(event, now); }
    Actions hear(Message message) { return on(event::Arrived{std::move(message)}); }
    Actions wait(Duration duration) {
        now += duration;
        return on(event::Tick{});
    }

    TimePoint now{1000s};
    Upload upload;
};

template <class A>
std::vector<A> all(Actions const& actions) {
    std::vector<A> found;
    for (auto const& action : actions) {
        if (auto const* one = std::get_if<A>(&action)) found.push_back(*one);
    }
    return found;
}

// The messages of one type that were sent.
template <class M>
std::vector<M> sent(Actions const& actions) {
    std::vector<M> found;
    for (auto const& send : all<action::SendExchange>(actions)) {
        if (auto const* one = std::get_if<M>(&send.message)) found.push_back(*one);
    }
    return found;
}

std::optional<Error> failure(Actions const& actions) {
    auto const failures = all<action::Fail>(actions);
    return failures.empty() ? std::nullopt : std::optional(failures.front().error);
}

}  // namespace

TEST_CASE("an upload offers, sends what is lacking, announces, and is done when the release is durable") {
    Bench bench;
    CHECK(sent<Offer>(bench.on(event::Connected{})).size() == 1);

    auto const asked = bench.hear(need({0}));
    REQUIRE(all<action::Compress>(asked).size() == 1);
    CHECK(all<action::Compress>(asked)[0].object == digest(0));
    CHECK(bench.hear(Credit{MiB(36)}).empty());

    auto const ready = bench.on(event::ObjectReady{shape(0, KiB(300))});
    auto const puts = all<action::SendExchange>(ready);
    REQUIRE(puts.size() == 2);
    CHECK(std::get<Put>(puts[0].message) == Put{shape(0, KiB(300)), Bytes()});
    CHECK(puts[0].payload == PayloadRange{digest(0), Bytes(), KiB(256)});
    CHECK(puts[1].payload == PayloadRange{digest(0), KiB(256), KiB(44)});
    CHECK(all<action::Forget>(ready).size() == 1);

    CHECK(all<action::Compress>(bench.hear(need({1, 2}))).size() == 2);
    // The second is ready first: order is kept.
    CHECK(sent<Put>(bench.on(event::ObjectReady{shape(2, KiB(10))})).empty());
    CHECK(sent<Put>(bench.on(event::ObjectReady{shape(1, KiB(10))})).size() == 2);

    CHECK(all<action::EmitUpdate>(bench.hear(need({}))).empty());  // nobody listens yet
    auto const emitted = all<action::EmitUpdate>(bench.on(event::SubscriptionSeen{}));
    REQUIRE(emitted.size() == 1);
    CHECK(emitted[0].update.epoch == Epoch{});
    CHECK(emitted[0].update.entry.seq == Seq{});
    CHECK(emitted[0].update.entry.update.payload == to_buffer(as_view("update-info")));

    auto const done = all<action::Done>(
        bench.hear(Committed{software(), version(), Epoch{9}, Seq{4}, WallTime{1}, false}));
    REQUIRE(done.size() == 1);
    CHECK(done[0].committed.seq == Seq{4});
    CHECK(bench.wait(1h).empty());
}

TEST_CASE("a release that is published already is done at once") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(all<action::Done>(bench.hear(Committed{software(), version(), {}, Seq{4}, {}, true})).size() == 1);
}

TEST_CASE("a confirmation of another release is not taken for ours") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(bench.hear(Committed{software(), VersionName::parse("2.0").value(), {}, Seq{4}, {}, true}).empty());
    Need other = need({1});
    other.version = VersionName::parse("2.0").value();
    CHECK(bench.hear(other).empty());
}

TEST_CASE("nothing is sent beyond the credit, and it continues in the middle of a frame") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(bench.hear(need({1})).size() >= 1);
    CHECK(sent<Put>(bench.on(event::ObjectReady{shape(1, KiB(400))})).empty());
    auto const first = all<action::SendExchange>(bench.hear(Credit{KiB(300)}));
    REQUIRE(first.size() == 2);
    CHECK(first[1].payload == PayloadRange{digest(1), KiB(256), KiB(44)});
    CHECK(sent<Put>(bench.hear(Credit{KiB(300)})).empty());
    CHECK(sent<Put>(bench.hear(Credit{KiB(200)})).empty());
    auto const rest = all<action::SendExchange>(bench.hear(Credit{KiB(1000)}));
    REQUIRE(rest.size() == 1);
    CHECK(rest[0].payload == PayloadRange{digest(1), KiB(300), KiB(100)});
}

TEST_CASE("at most three objects are in memory and eight frames in the queue") {
    Bench bench(publication(9, MiB(4)));
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(all<action::Compress>(bench.hear(need({1, 2, 3, 4, 5}))).size() == 3);
    CHECK(bench.hear(Credit{MiB(100)}).empty());
    auto actions = bench.on(event::ObjectReady{shape(1, MiB(3), MiB(4))});
    CHECK(sent<Put>(actions).size() == 8);
    CHECK(all<action::Compress>(actions).empty());
    for (int i = 0; i < 4; ++i) {
        actions = bench.on(event::FrameTaken{});
        CHECK(sent<Put>(actions).size() == 1);
    }
    CHECK(all<action::Forget>(actions).size() == 1);
    REQUIRE(all<action::Compress>(actions).size() == 1);
    CHECK(all<action::Compress>(actions)[0].object == digest(4));
}

TEST_CASE("a repeated NEED changes nothing while its objects are on their way") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(all<action::Compress>(bench.hear(need({1, 2}))).size() == 2);
    CHECK(bench.hear(need({1, 2})).empty());
    CHECK(bench.hear(Credit{MiB(9)}).empty());
    CHECK(sent<Put>(bench.on(event::ObjectReady{shape(1, KiB(1))})).size() == 1);
    CHECK(sent<Put>(bench.on(event::ObjectReady{shape(2, KiB(1))})).size() == 1);
    // All sent: now it means that they have not arrived.
    CHECK(all<action::Compress>(bench.hear(need({1, 2}))).size() == 2);
}

TEST_CASE("a result that nobody waits for any more is ignored") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(bench.on(event::ObjectReady{shape(1, KiB(1))}).empty());
    CHECK(bench.on(event::ObjectFailed{digest(1), {Fault::failed, "gone"}}).empty());
    CHECK(all<action::Compress>(bench.hear(need({2}))).size() == 1);
    CHECK(bench.on(event::ObjectReady{shape(1, KiB(1))}).empty());
}

TEST_CASE("an object that cannot be read ends the upload with its error") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(bench.hear(need({2})).size() >= 1);
    auto const error = failure(
        bench.on(event::ObjectFailed{digest(2), {Fault::failed, "x changed while being published"}}));
    REQUIRE(error);
    CHECK(error->message == "x changed while being published");
}

TEST_CASE("a NEED for an object that the release has not ends the upload") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(failure(bench.hear(need({1, 99})))->fault == Fault::failed);
}

TEST_CASE("a refusal ends the upload with the broker's words and the fault that fits") {
    auto const [reason, fault] = GENERATE(table<Refusal, Fault>({{Refusal::conflict, Fault::refused},
                                                                 {Refusal::not_allowed, Fault::refused},
                                                                 {Refusal::bad_signature, Fault::refused},
                                                                 {Refusal::invalid, Fault::refused},
                                                                 {Refusal::unknown_type, Fault::refused},
                                                                 {Refusal::damaged, Fault::damaged},
                                                                 {Refusal::no_space, Fault::no_space}}));
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    auto const error = failure(bench.hear(Refused{reason, "the broker's words"}));
    REQUIRE(error);
    CHECK(error->fault == fault);
    CHECK(error->message == "the broker refuses app 1.0: the broker's words");
    CHECK(bench.on(event::Connected{}).empty());
}

TEST_CASE("a broker that has forgotten the session is offered the release again, once") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(bench.hear(need({1})).size() >= 1);
    CHECK(bench.hear(Credit{MiB(9)}).empty());
    CHECK(sent<Put>(bench.on(event::ObjectReady{shape(1, KiB(700))})).size() == 3);
    auto const again = bench.hear(Refused{Refusal::no_session, "send OFFER"});
    CHECK(sent<Offer>(again).size() == 1);
    CHECK(all<action::DropFrames>(again).size() == 1);
    CHECK(bench.hear(Refused{Refusal::no_session, "send OFFER"}).empty());
    CHECK(bench.hear(Refused{Refusal::no_session, "send OFFER"}).empty());
    // The new session starts with no credit.
    CHECK(all<action::Compress>(bench.hear(need({1}))).size() == 1);
    CHECK(sent<Put>(bench.on(event::ObjectReady{shape(1, KiB(700))})).empty());
    CHECK(sent<Put>(bench.hear(Credit{KiB(256)})).size() == 1);
}

TEST_CASE("an offer that was forgotten is made again when PING shows it") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(sent<Ping>(bench.wait(10s)).size() == 1);
    CHECK(sent<Offer>(bench.hear(Refused{Refusal::no_session, "send OFFER"})).size() == 1);
    CHECK(bench.hear(Refused{Refusal::no_session, "send OFFER"}).empty());
}

TEST_CASE("update-info is repeated every two seconds until it is confirmed") {
    Bench bench;
    CHECK(bench.on(event::SubscriptionSeen{}).empty());
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(all<action::EmitUpdate>(bench.hear(need({}))).size() == 1);
    CHECK(bench.wait(1900ms).empty());
    CHECK(all<action::EmitUpdate>(bench.wait(100ms)).size() == 1);
    CHECK(bench.wait(1s).empty());
    CHECK(all<action::EmitUpdate>(bench.wait(1s)).size() == 1);
}

TEST_CASE("silence is answered by PING after 10 seconds and a new connection after 30") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(bench.wait(9s).empty());
    CHECK(sent<Ping>(bench.wait(1s)).size() == 1);
    CHECK(bench.wait(5s).empty());
    CHECK(bench.hear(Pong{}).empty());
    CHECK(bench.wait(9s).empty());
    CHECK(sent<Ping>(bench.wait(1s)).size() == 1);
    auto const silent = bench.wait(20s);
    CHECK(all<action::Reconnect>(silent).size() == 1);
    CHECK(bench.wait(1s).empty());
    CHECK(sent<Offer>(bench.on(event::Connected{})).size() == 1);
}

TEST_CASE("a slow line that takes a frame now and then is neither silent nor without progress") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(bench.hear(need({1})).size() >= 1);
    CHECK(bench.hear(Credit{MiB(36)}).empty());
    CHECK(sent<Put>(bench.on(event::ObjectReady{shape(1, MiB(16), MiB(16))})).size() == 8);
    for (int i = 0; i < 56; ++i) {
        bench.now += 20s;
        CHECK(sent<Put>(bench.on(event::FrameTaken{})).size() == 1);
        auto const ticked = bench.on(event::Tick{});
        CHECK(all<action::Reconnect>(ticked).empty());
        CHECK_FALSE(failure(ticked));
    }
}

TEST_CASE("a lost link is tried again after a growing rest") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(bench.on(event::Disconnected{}).empty());
    CHECK(bench.wait(100ms).empty());
    CHECK(all<action::Reconnect>(bench.wait(100ms)).size() == 1);
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(bench.on(event::Disconnected{}).empty());
    CHECK(bench.wait(300ms).empty());
    CHECK(all<action::Reconnect>(bench.wait(100ms)).size() == 1);
}

TEST_CASE("objects are let go when the link is lost") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(all<action::Compress>(bench.hear(need({1, 2, 3, 4}))).size() == 3);
    CHECK(all<action::Forget>(bench.on(event::Disconnected{})).size() == 3);
}

TEST_CASE("a busy broker is left alone for as long as it asks") {
    Bench bench;
    CHECK(bench.on(event::Connected{}).size() >= 1);
    CHECK(all<action::Reconnect>(bench.hear(Busy{3000})).empty());
    CHECK(all<action::Reconnect>(bench.wait(2900ms)).empty());
    CHECK(all<action::Reconnect>(bench.wait(100ms)).size() == 1);
}

TEST_CASE("without progress the upload gives up and says where it stood") {
    UploadTimes times;
    times.patience = 20s;
    Bench bench(publication(6), times);
    auto const give_up = [&] {
        for (int i = 0; i < 40; ++i) {
            if (auto const error = failure(bench.wait(500ms))) return *error;
            if (i % 4 == 0) CHECK(all<action::Done>(bench.hear(Pong{})).empty());  // being alive is no progress
        }
        FAIL("no end");
        std::abort();
    };
    SECTION("never connected") { CHECK_THAT(give_up().message, Catch::Contains("there is no connection for 20 s")); }
    SECTION("no answer") {
        CHECK(bench.on(event::Connected{}).size() >= 1);
        CHECK_THAT(give_up().message, Catch::Contains("does not answer the offer"));
    }
    SECTION("no credit") {
        CHECK(bench.on(event::Connected{}).size() >= 1);
        CHECK(bench.hear(need({1})).size() >= 1);
        CHECK_THAT(give_up().message, Catch::Contains("grants no more credit"));
    }
    SECTION("no subscription") {
        CHECK(bench.on(event::Connected{}).size() >= 1);
        CHECK(bench.hear(need({})).empty());
        CHECK_THAT(give_up().message, Catch::Contains("does not listen on its port for publications"));
    }
    SECTION("no confirmation") {
        CHECK(bench.on(event::Connected{}).size() >= 1);
        CHECK(bench.on(event::SubscriptionSeen{}).empty());
        CHECK(bench.hear(need({})).size() == 1);
        auto const error = give_up();
        CHECK(error.fault == Fault::unreachable);
        CHECK_THAT(error.message, Catch::Contains("does not confirm the release for 20 s"));
    }
}

TEST_CASE("a link that breaks after every NEED is no progress") {
    Bench bench;
    std::optional<Error> error;
    for (int i = 0; i < 2000 && !error; ++i) {
        for (auto const& action : bench.wait(100ms)) {
            if (std::holds_alternative<action::Reconnect>(action)) {
                CHECK(bench.on(event::Connected{}).size() >= 1);
                CHECK_FALSE(failure(bench.hear(need({1}))));
                CHECK_FALSE(failure(bench.on(event::Disconnected{})));
            }
            if (auto const* failed = std::get_if<action::Fail>(&action)) error = failed->error;
        }
        if (i == 0) {
            CHECK(bench.on(event::Connected{}).size() >= 1);
            CHECK_FALSE(failure(bench.on(event::Disconnected{})));
        }
    }
    REQUIRE(error);
    CHECK(error->fault == Fault::unreachable);
}

TEST_CASE("progress grows to its total and counts objects that are yet to be named") {
    Bench bench(publication(12, MiB(2)));
    CHECK(bench.on(event::Connected{}).size() >= 1);
    auto const begin = all<action::Progress>(bench.hear(need({1, 2}, 4)));
    REQUIRE(begin.size() == 1);
    CHECK(begin[0].done == Bytes());
    CHECK(begin[0].total == MiB(12));
    CHECK(bench.hear(Credit{MiB(9)}).empty());
    auto const half = all<action::Progress>(bench.on(event::ObjectReady{shape(1, KiB(1), MiB(2))}));
    REQUIRE(half.size() == 1);
    CHECK(half[0].done == MiB(2));
    CHECK(half[0].total == MiB(12));
}

// ---- a broker, and a network that loses, breaks and forgets ----

namespace {

// The broker's side of the dialogue as PROTOCOL.md has it, checking every rule that an upload must keep. Its window
// holds the largest object, and not two of them.
class StrictBroker {
public:
    explicit StrictBroker(std::map<Digest, Bytes> objects) : objects_(std::move(objects)) {}

    void new_session() { *this = StrictBroker(objects_, durable_, committed_); }
    [[nodiscard]] bool has_all() const { return durable_.size() == objects_.size(); }
    [[nodiscard]] bool committed() const { return committed_; }

    std::vector<Message> on(Message const& message, Bytes payload) {
        if (std::holds_alternative<Offer>(message)) {
            offered_ = true;
            if (committed_) return {Committed{software(), version(), {}, Seq{1}, {}, true}};
            return ask();
        }
        if (!offered_) return {Refused{Refusal::no_session, "OFFER first"}};
        if (std::holds_alternative<Ping>(message)) return {Pong{}};
        auto const* const put = std::get_if<Put>(&message);
        REQUIRE(put != nullptr);
        return keep(*put, payload);
    }

    // The update-info; accepted only when everything is durable.
    std::vector<Message> on_update() {
        if (!has_all()) return {};
        bool const before = std::exchange(committed_, true);
        if (!offered_) return {};
        return {Committed{software(), version(), {}, Seq{1}, {}, before}};
    }

private:
    StrictBroker(std::map<Digest, Bytes> objects, std::set<Digest> durable, bool committed)
        : objects_(std::move(objects)),
          durable_(std::move(durable)),
          committed_(committed) {}

    std::vector<Message> ask() {
        Need lacking = need({});
        wanted_.clear();
        for (auto const& [object, size] : objects_) {
            if (durable_.contains(object)) continue;
            if (lacking.objects.size() == 3) {
                ++lacking.more;
                continue;
            }
            lacking.objects.push_back(object);
            wanted_.insert(object);
        }
        std::vector<Message> replies{lacking};
        if (permitted_.zero() && !wanted_.empty()) replies.push_back(Credit{permitted_ = MiB(3)});
        return replies;
    }

    std::vector<Message> keep(Put const& put, Bytes payload) {
        REQUIRE(wanted_.contains(put.shape.object));
        REQUIRE(put.shape.plain == objects_.at(put.shape.object));
        REQUIRE(payload <= KiB(256));
        REQUIRE_FALSE(payload.zero());
        received_ += payload;
        REQUIRE(received_ <= permitted_);
        if (put.offset.zero()) current_ = {put.shape.object, Bytes()};
        REQUIRE(current_.first == put.shape.object);
        REQUIRE(current_.second == put.offset);
        current_.second += payload;
        REQUIRE(current_.second <= put.shape.stored);
        if (current_.second < put.shape.stored) return {};
        durable_.insert(put.shape.object);
        wanted_.erase(put.shape.object);
        permitted_ += put.shape.stored;
        std::vector<Message> replies{Credit{permitted_}};
        if (wanted_.empty()) {
            auto more = ask();
            replies.insert(replies.end(), more.begin(), more.end());
        }
        return replies;
    }

    std::map<Digest, Bytes> objects_;
    std::set<Digest> durable_;
    bool committed_ = false;
    bool offered_ = false;
    std::set<Digest> wanted_;
    std::pair<Digest, Bytes> current_;
    Bytes permitted_{};
    Bytes received_{};
};

// Upload and broker with a network between them that a seed disturbs.
class World {
public:
    World(unsigned seed, int objects) : random_(seed), upload_(make(objects), {}, now_), broker_(sizes(objects)) {}

    // Runs until the upload ends; true if by Done.
    bool run() {
        for (int steps = 0; steps < 200'000 && !ended_; ++steps) step();
        REQUIRE(ended_);
        return done_;
    }
    [[nodiscard]] StrictBroker const& broker() const { return broker_; }
    [[nodiscard]] int breaks() const { return breaks_; }

private:
    static Bytes size_of(int number) { return KiB(100 + 211u * static_cast<unsigned>(number)); }
    static std::map<Digest, Bytes> sizes(int objects) {
        std::map<Digest, Bytes> sizes;
        for (int i = 0; i < objects; ++i) sizes[digest(i)] = size_of(i);
        return sizes;
    }
    static Publication make(int objects) {
        auto made = publication(objects);
        for (int i = 0; i < objects; ++i) made.objects[digest(i)] = size_of(i);
        return made;
    }

    bool chance(unsigned one_in) { return random_() % one_in == 0; }

    void step() {
        now_ += 20ms;
        if (!connected_ && chance(5)) connect();
        if (connected_ && breaks_ < 12 && chance(60)) break_link();
        if (connected_ && breaks_ < 12 && chance(200)) {
            broker_.new_session();  // it was restarted, and a proxy hid it
            to_client_.clear();
            ++breaks_;
        }
        if (connected_ && !frames_.empty() && chance(2)) deliver_frame();
        if (connected_ && !to_client_.empty() && chance(2)) deliver_reply();
        if (!compressing_.empty() && chance(3)) compressed();
        if (chance(10)) happen(event::SubscriptionSeen{});
        happen(event::Tick{});
    }

    void connect() {
        connected_ = true;
        broker_.new_session();
        happen(event::Connected{});
    }

    void break_link() {
        ++breaks_;
        connected_ = false;
        frames_.clear();
        to_client_.clear();
        happen(event::Disconnected{});
    }

    void deliver_frame() {
        auto const frame = frames_.front();
        frames_.pop_front();
        if (frame.payload) happen(event::FrameTaken{});
        if (!connected_) return;
        for (auto& reply : broker_.on(frame.message, frame.payload ? frame.payload->length : Bytes()))
            to_client_.push_back(reply);
    }

    void deliver_reply() {
        auto const message = to_client_.front();
        to_client_.pop_front();
        happen(event::Arrived{message});
    }

    void compressed() {
        auto const object = *compressing_.begin();
        compressing_.erase(compressing_.begin());
        auto const plain = sizes(64).at(object);
        happen(event::ObjectReady{{object, ObjectCodec::zstd, Bytes(plain.count() / 2 + 1), plain}});
    }

    void happen(Event const& event) {
        for (auto const& action : upload_.on(event, now_)) std::visit([this](auto const& a) { perform(a); }, action);
        REQUIRE(held_.size() <= Upload::ahead);
    }

    void perform(action::SendExchange const& send) {
        if (send.payload) REQUIRE(held_.contains(send.payload->object));
        if (connected_) frames_.push_back(send);
    }
    void perform(action::Compress const& compress) {
        REQUIRE(held_.insert(compress.object).second);
        compressing_.insert(compress.object);
    }
    void perform(action::Forget const& forget) {
        REQUIRE(held_.erase(forget.object) == 1);
        compressing_.erase(forget.object);
    }
    void perform(action::DropFrames const&) {
        std::erase_if(frames_, [](auto const& frame) { return frame.payload.has_value(); });
    }
    void perform(action::EmitUpdate const&) {
        if (chance(2)) return;  // lost
        for (auto& reply : broker_.on_update()) {
            if (connected_) to_client_.push_back(reply);
        }
    }
    void perform(action::Reconnect const&) {
        connected_ = false;
        frames_.clear();
        to_client_.clear();
    }
    void perform(action::Progress const& progress) { REQUIRE(progress.done <= progress.total); }
    void perform(action::Done const&) { ended_ = done_ = true; }
    void perform(action::Fail const& failed) {
        UNSCOPED_INFO(failed.error.message);
        ended_ = true;
    }

    std::mt19937 random_;
    TimePoint now_{1000s};
    Upload upload_;
    StrictBroker broker_;
    bool connected_ = false;
    bool ended_ = false;
    bool done_ = false;
    int breaks_ = 0;
    std::deque<action::SendExchange> frames_;
    std::deque<Message> to_client_;
    std::set<Digest> compressing_;
    std::set<Digest> held_;
};

}  // namespace

TEST_CASE("through loss, broken links and a forgetful broker every release gets there, by the rules") {
    int breaks = 0;
    for (unsigned seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        World world(seed, 1 + static_cast<int>(seed % 20));
        CHECK(world.run());
        CHECK(world.broker().has_all());
        CHECK(world.broker().committed());
        breaks += world.breaks();
    }
    CHECK(breaks > 400);  // the network did disturb
}

}  // namespace upload_test
