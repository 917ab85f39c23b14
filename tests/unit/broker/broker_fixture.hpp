#pragma once

#include <map>
#include <set>

#include "broker/broker.hpp"
#include "store/compression.hpp"

// What the tests of the decision code share: keys and names, objects that are "stored", actions sorted by what they
// are.

namespace lull::broker::test {

inline PeerKey peer_key(std::uint64_t number) {
    std::array<std::byte, 32> bytes{};
    for (std::size_t i = 0; i < sizeof number; ++i) bytes[31 - i] = static_cast<std::byte>(number >> (8 * i));
    return PeerKey(bytes);
}
inline Digest digest_of(std::string_view text) { return sha256(as_view(text)); }
inline SoftwareName software(std::string_view text) { return SoftwareName::parse(text).value(); }
inline VersionName version(std::string_view text) { return VersionName::parse(text).value(); }
inline NodeName node_name(std::string_view text) { return NodeName::parse(text).value(); }
inline ArchitectureName architecture(std::string_view text) { return ArchitectureName::parse(text).value(); }
inline Buffer bytes_of(std::size_t size) { return Buffer(size, std::byte{7}); }

// Actions of one kind.
template <class A>
std::vector<A> all(Actions const& actions) {
    std::vector<A> found;
    for (auto const& action : actions) {
        if (auto const* concrete = std::get_if<A>(&action)) found.push_back(*concrete);
    }
    return found;
}

// Messages of one kind that go to a session.
template <class M>
std::vector<M> sent(Actions const& actions, SessionId session) {
    std::vector<M> found;
    for (auto const& send : all<Send>(actions)) {
        auto const* concrete = std::get_if<M>(&send.message);
        if (send.session == session && concrete != nullptr) found.push_back(*concrete);
    }
    return found;
}

// The only message of one kind that goes to a session.
template <class M>
M only(Actions const& actions, SessionId session) {
    auto found = sent<M>(actions, session);
    if (found.size() != 1) throw std::runtime_error(fmt::format("{} messages where one is expected", found.size()));
    return found.front();
}

template <class M>
M announced(Actions const& actions) {
    for (auto const& announce : all<Announce>(actions)) {
        if (auto const* concrete = std::get_if<M>(&announce.message)) return *concrete;
    }
    throw std::runtime_error("no such announcement");
}

void append(Actions& to, Actions from);

// Objects that are stored, without a disk.
class FakeIndex final : public ObjectIndex {
public:
    [[nodiscard]] std::optional<store::ObjectPlace> find(Digest const& object) const override {
        auto const found = places_.find(object);
        if (found == places_.end()) return std::nullopt;
        return found->second;
    }
    void remove(Digest const& object) { places_.erase(object); }
    void add(ObjectShape const& shape) { places_[shape.object] = {1, Bytes(places_.size()), shape}; }

private:
    std::map<Digest, store::ObjectPlace> places_;
};

inline ObjectShape raw_shape(std::string_view name, std::uint64_t size) {
    return {digest_of(name), ObjectCodec::raw, Bytes(size), Bytes(size)};
}

// A release of one build whose segments are named; each has as many bytes as is said.
struct TestRelease {
    Offer offer;
    Manifest manifest;
    ObjectShape manifest_shape;
    std::vector<ObjectShape> segments;
    UpdateInfo info;
};

TestRelease make_release(std::string_view name, std::string_view version_text,
                         std::vector<std::pair<std::string, std::uint64_t>> const& segments);

// A broker with an operator, a publisher and some nodes, a clock that stands still unless it is moved, and a disk that
// works when it is told to.
class World {
public:
    static constexpr SessionId at_operator = 1;
    static constexpr SessionId at_publisher = 2;

    explicit World(BrokerSettings settings = {}, std::size_t nodes = 3);
    ~World();
    World(World const&) = delete;
    World& operator=(World const&) = delete;

    PeerKey const operator_key = peer_key(1);
    PeerKey const publisher_key = peer_key(2);
    PeerKey const other_publisher_key = peer_key(4'000'000);
    SigningKey const signing = SigningKey::generate();        // of operator and publisher
    SigningKey const other_signing = SigningKey::generate();  // of the other publisher
    FakeIndex index;
    Moment now{TimePoint(std::chrono::hours(1)), WallTime{1'000'000'000}};
    Broker broker;

    static PeerKey node_key(std::size_t number) { return peer_key(1000 + number); }
    static SessionId at_node(std::size_t number) { return 1000 + number; }

    void pass(Duration time);

    Actions on(Event event);
    Actions from(SessionId session, PeerKey const& peer, Message message, Buffer payload = {});
    Actions from_publisher(Message message, Buffer payload = {});
    Actions from_operator(Message message);
    Actions from_node(std::size_t number, Message message);

    Actions hello(std::size_t number);

    // Everything in these actions becomes durable, or fails.
    Actions finish(Actions const& actions, Status const& status = {});

    Actions put(ObjectShape const& shape);

    // Uploads a release and uploads everything, up to the last NEED.
    Actions upload(TestRelease const& release);

    Actions update(TestRelease const& release) { return update(release, signing); }
    Actions update(TestRelease const& release, SigningKey const& signer);

    // The whole way of a release into the log.
    Actions publish(TestRelease const& release) { return publish(release, signing); }
    Actions publish(TestRelease const& release, SigningKey const& signer);

private:
    BrokerState state(std::size_t nodes) const;
};

}  // namespace lull::broker::test
