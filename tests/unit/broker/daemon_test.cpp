#include <catch2/catch.hpp>

#include "publisher_fixture.hpp"

namespace daemon_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

Hello hello_of(std::string_view name) {
    return {node_name(name), architecture("amd64"), "lull-node 0.1.0", "boot", Epoch{}, Seq{}};
}

}  // namespace

TEST_CASE("an enrolled key is let in and answered, an unknown one never gets through the handshake") {
    lull::test::TemporaryDirectory directory;
    Person const anna;
    REQUIRE(init(directory / "broker", {anna.open("anna")}, "127.0.0.1:7700"));
    RunningDaemon daemon(directory / "broker");

    Client known(daemon.address, anna.curve);
    CHECK(known.handshake_within(std::chrono::seconds(20)));
    Admin question;
    question.verb = AdminVerb::nodes;
    known.send(question);
    CHECK(known.expect<Answer>().nodes.empty());

    Client stranger(daemon.address, Person().curve);
    CHECK(!stranger.handshake_within(std::chrono::milliseconds(700)));
    CHECK(daemon.stop());
}

TEST_CASE("a node that is enrolled while the broker runs gets in without a restart and is welcomed") {
    lull::test::TemporaryDirectory directory;
    Person const anna;
    Person const till;
    REQUIRE(init(directory / "broker", {anna.open("anna")}, "127.0.0.1:7700"));
    RunningDaemon daemon(directory / "broker");

    Client operator_(daemon.address, anna.curve);
    Admin enrol;
    enrol.verb = AdminVerb::nodes_new;
    enrol.node = node_name("till-1");
    enrol.key = PeerKey(till.curve.public_key);
    operator_.send(enrol);
    CHECK(operator_.expect<Answer>().nodes.size() == 1);

    Client node(daemon.address, till.curve);
    node.send(hello_of("till-1"));
    auto const welcome = node.expect<Welcome>();
    CHECK(welcome.head == Seq{0});
    CHECK(welcome.epoch.value != 0);
    node.send(Ping{5});
    CHECK(node.expect<Pong>().nonce == 5);
    node.send(Admin{});
    CHECK(node.expect<Refused>().reason == Refusal::not_allowed);
}

TEST_CASE("a release goes in from a publisher and out to a node, and is still there after a restart") {
    lull::test::TemporaryDirectory directory;
    Person const anna;
    Person const till;
    auto const root = directory / "broker";
    REQUIRE(init(root, {anna.open("anna")}, "127.0.0.1:7700"));
    auto const contents = random_bytes(1'500'000);
    auto const release = sign(anna.signing, "1.0", contents);
    auto daemon = std::make_unique<RunningDaemon>(root);

    Client operator_(daemon->address, anna.curve);
    Admin enrol;
    enrol.verb = AdminVerb::nodes_new;
    enrol.node = node_name("till-1");
    enrol.key = PeerKey(till.curve.public_key);
    operator_.send(enrol);
    (void)operator_.expect<Answer>();

    MessagingContext context;
    Socket announcements(context, SocketKind::sub);
    announcements.secure(CurveClient{till.curve, daemon->address.key.bytes()});
    announcements.subscribe(wire::everybody);
    REQUIRE(announcements.connect(daemon->address.announce()));
    auto const announced = [&]() -> Message {
        auto const received = wait_for(announcements);
        if (!received) throw std::runtime_error("nothing is announced");
        return wire::decode_announcement(as_view(received->frames.at(0))).value();
    };
    CHECK(std::get<Head>(announced()).head == Seq{0});

    auto const committed = publish(daemon->address, anna, release);
    CHECK(committed.seq == Seq{1});
    CHECK(!committed.before);
    auto message = announced();
    while (std::holds_alternative<Head>(message)) message = announced();
    CHECK(std::get<Update>(message).entry.seq == Seq{1});
    CHECK(std::get<Update>(message).entry.update == release.update);

    auto const fetch = [&](BrokerAddress const& broker) {
        Client node(broker, till.curve);
        node.send(hello_of("till-1"));
        CHECK(node.expect<Welcome>().head == Seq{1});
        node.send(Sync{committed.epoch, Seq{0}});
        CHECK(node.expect<LogPage>().entries.at(0).update == release.update);
        node.send(Credit{MiB(64)});
        node.send(Fetch{software("app"), Seq{1}, {{release.segment.shape.object, Bytes()}}});
        Buffer stored;
        while (stored.size() < release.segment.bytes.size()) {
            Buffer payload;
            auto const data = node.expect<Data>(&payload);
            CHECK(data.offset == Bytes(stored.size()));
            CHECK(data.shape == release.segment.shape);
            stored.insert(stored.end(), payload.begin(), payload.end());
            node.send(Ack{Bytes(stored.size())});
        }
        CHECK(stored == release.segment.bytes);
    };
    fetch(daemon->address);

    REQUIRE(daemon->stop());
    daemon = std::make_unique<RunningDaemon>(root);
    fetch(daemon->address);
    CHECK(publish(daemon->address, anna, sign(anna.signing, "1.1", random_bytes(1000))).seq == Seq{2});
}

TEST_CASE("an object whose bytes are not what its digest says is refused") {
    lull::test::TemporaryDirectory directory;
    Person const anna;
    REQUIRE(init(directory / "broker", {anna.open("anna")}, "127.0.0.1:7700"));
    RunningDaemon daemon(directory / "broker");
    auto release = sign(anna.signing, "1.0", random_bytes(1000));
    Client client(daemon.address, anna.curve);
    client.send(release.offer);
    (void)client.expect<Need>();
    release.manifest.bytes[50] ^= std::byte{1};
    put(client, release.manifest);
    CHECK(client.expect<Refused>().reason == Refusal::damaged);
}

TEST_CASE("a manifest that somebody else has signed is refused") {
    lull::test::TemporaryDirectory directory;
    Person const anna;
    REQUIRE(init(directory / "broker", {anna.open("anna")}, "127.0.0.1:7700"));
    RunningDaemon daemon(directory / "broker");
    auto const release = sign(SigningKey::generate(), "1.0", random_bytes(1000));
    Client client(daemon.address, anna.curve);
    client.send(release.offer);
    (void)client.expect<Need>();
    put(client, release.manifest);
    CHECK(client.expect<Refused>().reason == Refusal::bad_signature);
}

TEST_CASE("frames that are no message are refused, and the session goes on") {
    lull::test::TemporaryDirectory directory;
    Person const anna;
    REQUIRE(init(directory / "broker", {anna.open("anna")}, "127.0.0.1:7700"));
    RunningDaemon daemon(directory / "broker");
    MessagingContext context;
    Socket socket(context, SocketKind::dealer);
    socket.secure(CurveClient{anna.curve, daemon.address.key.bytes()});
    REQUIRE(socket.connect(daemon.address.exchange()));
    auto const refused = [&](std::vector<Buffer> const& parts) {
        auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (std::chrono::steady_clock::now() < end) {
            std::vector<Frame> frames;
            for (auto const& part : parts) frames.push_back(to_frame(part));
            if (socket.send(std::move(frames)) == Socket::Sent::yes) break;
            pollfd polled{socket.descriptor(), POLLIN, 0};
            ::poll(&polled, 1, 10);
            (void)socket.readable();
        }
        auto const received = wait_for(socket);
        REQUIRE(received);
        auto const message = wire::decode_body(wire::decode_header(as_view(received->frames.at(0))).value(),
                                               as_view(received->frames.at(1)));
        return std::get<Refused>(message.value()).reason == Refusal::unknown_type;
    };
    auto const header = wire::encode_header(MessageType::ping);
    auto const body = wire::encode_body(Ping{});
    CHECK(refused({header}));
    CHECK(refused({header, body, body, body}));
    CHECK(refused({header, header}));
    CHECK(refused({body, body}));
}

TEST_CASE("a broker whose frame cannot be read drops that session and serves on") {
    lull::test::TemporaryDirectory directory;
    Person const anna;
    Person const till;
    auto const root = directory / "broker";
    REQUIRE(init(root, {anna.open("anna")}, "127.0.0.1:7700"));
    RunningDaemon daemon(root);
    Client operator_(daemon.address, anna.curve);
    Admin enrol;
    enrol.verb = AdminVerb::nodes_new;
    enrol.node = node_name("till-1");
    enrol.key = PeerKey(till.curve.public_key);
    operator_.send(enrol);
    (void)operator_.expect<Answer>();
    auto const release = sign(anna.signing, "1.0", random_bytes(600'000));
    (void)publish(daemon.address, anna, release);
    for (auto const& pack : fs::directory_iterator(root / "packs")) fs::resize_file(pack.path(), 1000);

    Client node(daemon.address, till.curve);
    node.send(hello_of("till-1"));
    (void)node.expect<Welcome>();
    node.send(Credit{MiB(64)});
    node.send(Fetch{software("app"), Seq{1}, {{release.segment.shape.object, Bytes()}}});
    Admin nodes;
    nodes.verb = AdminVerb::nodes;
    for (int tries = 0; tries < 200; ++tries) {
        operator_.send(nodes);
        if (!operator_.expect<Answer>().nodes.at(0).connected) return;
    }
    FAIL("the session is still there");
}

}  // namespace daemon_test
