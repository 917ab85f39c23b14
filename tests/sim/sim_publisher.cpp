#include "tests/sim/sim_publisher.hpp"

namespace lull::sim {

using namespace std::chrono_literals;

SimPublisher::SimPublisher(World& world, Network& network, SimBroker& broker, Library& library, Checker& checker,
                           PeerKey const& key)
    : world_(world),
      network_(network),
      broker_(broker),
      library_(library),
      checker_(checker),
      key_(key) {}

void SimPublisher::publish(SoftwareName const& software, std::size_t number) {
    publish(library_.make(software, number, world_.moment().wall));
}

void SimPublisher::go_back(SoftwareName const& software, std::size_t number) {
    auto const& versions = committed_[software];
    if (versions.size() < 2 || !waiting_.empty()) return publish(software, number);
    auto const& older = versions[world_.random().below(versions.size() - 1)];
    auto back = library_.make_back(software, older, newest_.at(software).seq, world_.moment().wall);
    if (!back) return publish(software, number);
    publish(std::move(*back));
}

void SimPublisher::publish(MadeRelease release) {
    waiting_.push_back(std::move(release));
    if (waiting_.size() == 1) begin();
}

// A new session; it is given up after ten seconds of silence.
void SimPublisher::begin() {
    if (waiting_.empty()) return;
    if (connection_ != 0) network_.disconnect(connection_);
    stored_ = false;
    heard_ = world_.now();
    connection_ = network_.connect(*this);
    again_after(10s);
}

void SimPublisher::again_after(Duration delay) {
    world_.after(delay, [this, attempt = ++attempt_] {
        if (attempt != attempt_) return;
        if (world_.now() - heard_ >= 10s) return begin();
        again_after(heard_ + 10s - world_.now());
    });
}

void SimPublisher::connected(ConnectionId connection) {
    if (connection != connection_ || waiting_.empty()) return;
    auto const& info = waiting_.front().info;
    send(Offer{info.software, info.version, info.builds});
}

void SimPublisher::disconnected(ConnectionId connection) {
    if (connection == connection_) heard_ -= 8s;  // try again soon
}

void SimPublisher::put(Digest const& object) {
    auto const& bytes = library_.bytes(object);
    constexpr std::size_t frame = 8192;
    ObjectShape const shape{object, ObjectCodec::raw, Bytes(bytes.size()), Bytes(bytes.size())};
    for (std::size_t at = 0; at < bytes.size(); at += frame) {
        send(Put{shape, Bytes(at)}, to_buffer(View(bytes).subspan(at, std::min(frame, bytes.size() - at))));
    }
}

// PUB may lose it, so it is repeated until the answer comes.
void SimPublisher::emit_update() {
    if (!stored_ || waiting_.empty()) return;
    Update const update{{}, {{}, {}, {}, waiting_.front().update}};
    if (world_.random().chance(0.8)) world_.after(1ms, [this, update] { broker_.ingest(key_, update); });
    world_.after(2s, [this, connection = connection_] {
        if (connection == connection_) emit_update();
    });
}

void SimPublisher::heard(ConnectionId connection, Message const& message, Buffer const&) {
    if (connection != connection_ || waiting_.empty()) return;
    if (std::holds_alternative<Ping>(message)) return send(Pong{});
    heard_ = world_.now();
    auto const& release = waiting_.front();
    if (auto const* need = std::get_if<Need>(&message); need != nullptr && need->version == release.info.version) {
        for (auto const& object : need->objects) put(object);
        if (!need->objects.empty() || stored_) return;
        stored_ = true;
        return emit_update();
    }
    if (auto const* committed = std::get_if<Committed>(&message); committed != nullptr &&
                                                                  committed->software == release.info.software &&
                                                                  committed->version == release.info.version) {
        world_.trace("publisher: {} {} is committed as {}", release.info.software.text(), release.info.version.text(),
                     committed->seq.value);
        checker_.committed(*committed, release.info);
        newest_[release.info.software] = *committed;
        committed_[release.info.software].push_back(release.info.version);
        waiting_.pop_front();
        return begin();
    }
    if (auto const* refused = std::get_if<Refused>(&message)) {
        world_.trace("publisher: refused: {}", refused->text);
        heard_ = world_.now() - 7s;
    }
}

}  // namespace lull::sim
