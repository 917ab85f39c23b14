#pragma once

#include "broker_fixture.hpp"
#include "daemon_fixture.hpp"

// A publisher that speaks to a broker over sockets, and what it publishes.

namespace lull::broker::test {

// A release of one file in one segment, signed, as it is stored and sent.
struct SignedRelease {
    store::StoredObject segment;
    store::StoredObject manifest;
    Offer offer;
    Envelope update;
};

inline SignedRelease sign(SigningKey const& key, std::string_view version_text, Buffer const& contents) {
    SignedRelease release;
    release.segment = store::pack_object(contents, store::quick_level);
    Manifest manifest{software("app"),
                      version(version_text),
                      architecture("any"),
                      {},
                      {{sha256(contents), Bytes(contents.size())}},
                      {}};
    Entry file;
    file.path = "file";
    file.size = Bytes(contents.size());
    file.digest = sha256(contents);
    file.segment = 0;
    file.offset = Bytes(0);
    manifest.entries.push_back(file);
    auto const envelope = encode(seal(encode(manifest), domain::manifest, key));
    release.manifest = store::pack_object(envelope, store::quick_level);
    UpdateInfo info;
    info.software = software("app");
    info.version = version(version_text);
    info.builds = {{architecture("any"), sha256(envelope), Bytes(envelope.size()), manifest.content_size(), 1}};
    release.offer = {info.software, info.version, info.builds};
    release.update = seal(encode(info), domain::update_info, key);
    return release;
}

inline void put(Client& client, store::StoredObject const& object) {
    constexpr std::size_t frame = 256 * 1024;
    for (std::size_t at = 0; at < object.bytes.size(); at += frame) {
        auto const size = std::min(frame, object.bytes.size() - at);
        client.send(Put{object.shape, Bytes(at)}, View(object.bytes).subspan(at, size));
    }
}

// The whole dialogue of a publisher.
inline Committed publish(BrokerAddress const& broker, Person const& person, SignedRelease const& release) {
    Client client(broker, person.curve);
    client.send(release.offer);
    auto need = client.expect<Need>();
    while (!need.objects.empty()) {
        for (auto const& object : need.objects) {
            put(client, object == release.manifest.shape.object ? release.manifest : release.segment);
        }
        need = client.expect<Need>();
    }
    MessagingContext context;
    Socket publication(context, SocketKind::xpub);
    publication.secure(CurveClient{person.curve, broker.key.bytes()});
    must(publication.connect(broker.ingest()));
    if (!wait_for(publication)) throw std::runtime_error("the broker does not subscribe");
    Update update;
    update.entry.update = release.update;
    std::vector<Frame> frames;
    frames.push_back(to_frame(wire::encode_announcement(update)));
    (void)publication.send(std::move(frames));
    return client.expect<Committed>();
}

inline Buffer random_bytes(std::size_t size) {
    Buffer bytes(size);
    fill_random(bytes);
    return bytes;
}

}  // namespace lull::broker::test
