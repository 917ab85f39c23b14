#include <catch2/catch.hpp>

#include "publisher_fixture.hpp"

namespace daemon_restart_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

// A broker with an operator and one node, which restarts when a test wants.
class Fleet {
public:
    explicit Fleet(BrokerSettings settings = {}) : settings_(settings) {
        REQUIRE(init(root_, {anna.open("anna")}, "127.0.0.1:7700"));
        start();
        Admin enrol;
        enrol.verb = AdminVerb::nodes_new;
        enrol.node = node_name("till-1");
        enrol.key = PeerKey(till.curve.public_key);
        (void)ask(enrol);
    }
    void start() { daemon_ = std::make_unique<RunningDaemon>(root_, settings_); }
    void restart() {
        REQUIRE(daemon_->stop());
        start();
    }
    [[nodiscard]] BrokerAddress const& address() const { return daemon_->address; }

    Answer ask(Admin const& question) {
        Client operator_(address(), anna.curve);
        operator_.send(question);
        return operator_.expect<Answer>();
    }
    Answer ask(AdminVerb verb) {
        Admin question;
        question.verb = verb;
        return ask(question);
    }
    // What a node that subscribes gets before anything else.
    Head welcome() {
        MessagingContext context;
        Socket announcements(context, SocketKind::sub);
        announcements.secure(CurveClient{till.curve, address().key.bytes()});
        announcements.subscribe(wire::everybody);
        must(announcements.connect(address().announce()));
        auto const received = wait_for(announcements);
        if (!received) throw std::runtime_error("no welcome came");
        return std::get<Head>(wire::decode_announcement(as_view(received->frames.at(0))).value());
    }
    std::unique_ptr<Client> node() {
        auto client = std::make_unique<Client>(address(), till.curve);
        client->send(Hello{node_name("till-1"), architecture("amd64"), "lull-node 0.1.0", "boot", Epoch{}, Seq{}});
        (void)client->expect<Welcome>();
        return client;
    }
    void report(Seq seq, NodeState state, Seq active, std::uint64_t revision) {
        auto client = node();
        client->send(Report{software("app"), seq, state, revision, {}, "because", {}, active});
        CHECK(client->expect<ReportAck>().revision == revision);
    }
    void publish_new(std::string_view version_text, Buffer const& contents) {
        (void)publish(address(), anna, sign(anna.signing, version_text, contents));
    }
    enum class Which { first, with_patch };
    // What a node is offered that asks for the way between two releases: at first, or as soon as the patch is made.
    PatchOffer offer(Seq from, Seq to, Which which) {
        auto client = node();
        client->send(PatchQuery{software("app"), architecture("amd64"), from, to});
        auto offer = client->expect<PatchOffer>();
        if (which == Which::with_patch && !offer.patch) offer = client->expect<PatchOffer>();
        return offer;
    }

    Person const anna;
    Person const till;

private:
    lull::test::TemporaryDirectory directory_;
    fs::path const root_ = directory_ / "broker";
    BrokerSettings settings_;
    std::unique_ptr<RunningDaemon> daemon_;
};

Order hold_of(std::string_view name) {
    Order order;
    order.kind = OrderKind::hold;
    order.software = software(name);
    return order;
}

std::set<std::string> versions(Answer const& list) {
    std::set<std::string> found;
    for (auto const& row : list.releases) found.insert(row.version.text());
    return found;
}

}  // namespace

TEST_CASE("after a restart a broker greets with the head, the epoch and the orders that it had") {
    Fleet fleet;
    fleet.publish_new("1.0", random_bytes(1000));
    fleet.publish_new("1.1", random_bytes(1000));
    Admin hold;
    hold.verb = AdminVerb::order;
    hold.order = hold_of("app");
    (void)fleet.ask(hold);
    auto const before = fleet.welcome();
    CHECK(before.head == Seq{2});
    REQUIRE(before.orders);
    fleet.restart();
    auto const after = fleet.welcome();
    CHECK(after.head == before.head);
    CHECK(after.epoch == before.epoch);
    CHECK(after.orders == before.orders);
}

TEST_CASE("after a restart a broker knows its nodes, and when it heard of each as which program") {
    Fleet fleet;
    (void)fleet.node();
    auto const before = fleet.ask(AdminVerb::nodes).nodes.at(0);
    REQUIRE(before.seen);
    fleet.restart();
    auto const after = fleet.ask(AdminVerb::nodes).nodes.at(0);
    CHECK(after.node == before.node);
    CHECK(after.key == before.key);
    CHECK(after.program == "lull-node 0.1.0");
    REQUIRE(after.seen);
    CHECK(after.seen->micros >= before.seen->micros);
    CHECK_FALSE(after.connected);
}

TEST_CASE("after a restart a broker knows what runs on each node, and what stands in its way") {
    Fleet fleet;
    fleet.publish_new("1.0", random_bytes(1000));
    fleet.publish_new("1.1", random_bytes(1000));
    fleet.report(Seq{2}, NodeState::waiting, Seq{1}, 7);
    auto const before = fleet.ask(AdminVerb::status).status.at(0);
    CHECK(before.state == NodeState::waiting);
    fleet.restart();
    auto const after = fleet.ask(AdminVerb::status).status.at(0);
    CHECK(after.state == NodeState::waiting);
    CHECK(after.active == version("1.0"));
    CHECK(after.why == before.why);
    CHECK(after.seq == Seq{2});
    fleet.report(Seq{2}, NodeState::active, Seq{2}, 8);  // also that revision 7 has come
    CHECK(fleet.ask(AdminVerb::status).status.at(0).state == NodeState::active);
}

TEST_CASE("after a restart a broker knows which orders stand") {
    Fleet fleet;
    fleet.publish_new("1.0", random_bytes(1000));
    Admin order;
    order.verb = AdminVerb::order;
    order.order = hold_of("app");
    (void)fleet.ask(order);
    order.node = node_name("till-1");
    (void)fleet.ask(order);
    auto const before = fleet.ask(AdminVerb::orders).orders;
    REQUIRE(before);
    CHECK(before->size() == 2);
    fleet.restart();
    CHECK(fleet.ask(AdminVerb::orders).orders == before);
}

TEST_CASE("after a restart a broker offers the patch that it had made, at once") {
    Fleet fleet;
    auto contents = random_bytes(200'000);
    fleet.publish_new("1.0", contents);
    fleet.report(Seq{1}, NodeState::active, Seq{1}, 1);
    contents[1000] ^= std::byte{1};
    fleet.publish_new("1.1", contents);
    auto const before = fleet.offer(Seq{1}, Seq{2}, Fleet::Which::with_patch);
    REQUIRE(before.patch);
    fleet.restart();
    auto const after = fleet.offer(Seq{1}, Seq{2}, Fleet::Which::first);
    CHECK(after.patch == before.patch);
    CHECK(after.wait == 0);
    auto const list = fleet.ask(AdminVerb::list).releases;
    CHECK(list.at(0).to_fetch < Bytes(10'000));
}

TEST_CASE("a release that a waiting node still runs, and the one that it waits for, stay in the log over a restart") {
    BrokerSettings settings;
    settings.keep = 1;
    Fleet fleet(settings);
    fleet.publish_new("1.0", random_bytes(1000));
    fleet.publish_new("1.1", random_bytes(1000));
    fleet.report(Seq{2}, NodeState::waiting, Seq{1}, 1);
    fleet.publish_new("1.2", random_bytes(1000));
    fleet.publish_new("1.3", random_bytes(1000));
    fleet.restart();
    std::set<std::string> left;
    auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while ((left = versions(fleet.ask(AdminVerb::list))).contains("1.2") && std::chrono::steady_clock::now() < end) {}
    CHECK(left == std::set<std::string>{"1.0", "1.1", "1.3"});
    fleet.restart();
    CHECK(versions(fleet.ask(AdminVerb::list)) == left);
}

}  // namespace daemon_restart_test
