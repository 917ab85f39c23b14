#include "broker_fixture.hpp"

namespace lull::broker::test {

void append(Actions& to, Actions from) { std::move(from.begin(), from.end(), std::back_inserter(to)); }

TestRelease make_release(std::string_view name, std::string_view version_text,
                         std::vector<std::pair<std::string, std::uint64_t>> const& segments) {
    TestRelease release;
    release.manifest = {software(name), version(version_text), architecture("amd64"), {}, {}, {}};
    for (auto const& [segment, size] : segments) {
        release.segments.push_back(raw_shape(segment, size));
        release.manifest.segments.push_back({digest_of(segment), Bytes(size)});
        Entry entry;
        entry.path = segment;
        entry.size = Bytes(size);
        release.manifest.entries.push_back(entry);
    }
    release.manifest_shape = raw_shape(fmt::format("manifest of {} {} {}", name, version_text, segments.size()), 100);
    Build const build{architecture("amd64"), release.manifest_shape.object, Bytes(100), release.manifest.content_size(),
                      release.manifest.file_count()};
    release.offer = {software(name), version(version_text), {build}};
    release.info.software = software(name);
    release.info.version = version(version_text);
    release.info.builds = {build};
    return release;
}

World::World(BrokerSettings settings, std::size_t nodes) : broker(state(nodes), index, settings) {}

World::~World() = default;

Actions World::on(Event event) { return broker.on(std::move(event), now); }

Actions World::from(SessionId session, PeerKey const& peer, Message message, Buffer payload) {
    return on(MessageArrived{session, peer, std::move(message), std::move(payload)});
}

Actions World::from_publisher(Message message, Buffer payload) {
    return from(at_publisher, publisher_key, std::move(message), std::move(payload));
}

Actions World::from_operator(Message message) { return from(at_operator, operator_key, std::move(message)); }

Actions World::from_node(std::size_t number, Message message) {
    return from(at_node(number), node_key(number), std::move(message));
}

void World::pass(Duration time) {
    now.point += time;
    now.wall.micros += std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

Actions World::hello(std::size_t number) {
    return from_node(number, Hello{node_name(fmt::format("node-{:04}", number)), architecture("amd64"),
                                   "lull-node 0.1.0", "boot", broker.state().release_log.epoch(), Seq{}});
}

Actions World::finish(Actions const& actions, Status const& status) {
    Actions further;
    for (auto const& persist : all<Persist>(actions)) append(further, on(BatchDone{persist.ticket, status}));
    return further;
}

Actions World::put(ObjectShape const& shape) {
    auto actions = from_publisher(Put{shape, Bytes()}, bytes_of(shape.stored.count()));
    for (auto const& keep : all<KeepObject>(actions)) {
        index.add(keep.shape);
        append(actions, on(ObjectKept{keep.session, keep.shape.object, keep.shape.stored, {}}));
    }
    return actions;
}

Actions World::upload(TestRelease const& release) {
    auto actions = from_publisher(release.offer);
    if (!index.find(release.manifest_shape.object)) append(actions, put(release.manifest_shape));
    append(actions, on(ManifestOpened{at_publisher, release.manifest_shape.object, release.manifest}));
    for (auto const& segment : release.segments) {
        if (!index.find(segment.object)) append(actions, put(segment));
    }
    return actions;
}

Actions World::update(TestRelease const& release, SigningKey const& signer) {
    Update update;
    update.entry.update = seal(encode(release.info), domain::update_info, signer);
    return on(UpdateArrived{publisher_key, update});
}

Actions World::publish(TestRelease const& release, SigningKey const& signer) {
    upload(release);
    return finish(update(release, signer));
}

BrokerState World::state(std::size_t nodes) const {
    BrokerState state(LogIdentity{Epoch{77}});
    state.peers.add(operator_key, {"anna", Role::operator_, signing.public_key(), now.wall});
    state.peers.add(publisher_key, {"ci", Role::publisher, signing.public_key(), now.wall});
    state.peers.add(other_publisher_key, {"other-ci", Role::publisher, other_signing.public_key(), now.wall});
    for (std::size_t i = 0; i < nodes; ++i) {
        state.peers.add(node_key(i), {fmt::format("node-{:04}", i), Role::node, std::nullopt, now.wall});
    }
    return state;
}

}  // namespace lull::broker::test
