#include "publisher/client/publish_client.hpp"

#include <map>
#include <optional>
#include <set>

#include "core/workers.hpp"
#include "schema/limits.hpp"
#include "schema/wire.hpp"
#include "store/compression.hpp"

namespace lull::publisher {

namespace {

constexpr unsigned compressing_threads = 2;
constexpr Duration between_ticks = std::chrono::milliseconds(200);
constexpr Duration quiet_at_first = std::chrono::seconds(2);  // before the user hears that there is no connection

// The plain bytes of an object of a release.
Result<Buffer> plain_object(Release const& release, Digest const& object) {
    if (object == release.manifest_digest) return release.manifest_object;
    auto const found = release.segments.find(object);
    LULL_INVARIANT(found != release.segments.end());
    return read_segment(release, found->second);
}

Publication publication_of(Release const& release, Envelope const& update_info) {
    Publication publication;
    publication.offer = {release.manifest.software, release.manifest.version, {release.build()}};
    publication.update_info = update_info;
    publication.objects.emplace(release.manifest_digest, Bytes(release.manifest_object.size()));
    for (auto const& segment : release.manifest.segments) publication.objects.emplace(segment.digest, segment.size);
    return publication;
}

// Performs the actions of an Upload: sockets, workers, and the compressed objects in transit.
class Publishing {
public:
    Publishing(ClientOptions const& options, Publication publication, ObjectSource source,
               ClientProgress const& progress)
        : source_(std::move(source)),
          progress_(progress),
          call_(options, "interrupted; the broker keeps what it has stored, and the same command continues from there",
                {[this] { happened(event::Connected{}); }, [this] { happened(event::Disconnected{}); },
                 [this](Message message) { happened(event::Arrived{std::move(message)}); },
                 [this] { happened(event::FrameTaken{}); }}),
          upload_(std::move(publication), upload_times(options.patience), call_.loop().now()),
          announcing_(call_.context(), SocketKind::xpub),
          workers_(call_.loop(), compressing_threads) {}

    Result<Committed> run() {
        auto const& options = call_.options();
        announcing_.secure(CurveClient{options.own, options.broker.key.bytes()});
        announcing_.set_reconnect(std::chrono::milliseconds(200), std::chrono::seconds(5));
        if (auto status = announcing_.connect(options.broker.ingest()); !status) return pass(std::move(status.error()));
        auto const watch = call_.loop().watch(announcing_, [this] { read_subscriptions(); });
        began_ = call_.loop().now();
        tick();
        auto status = call_.run();
        call_.loop().unwatch(watch);
        if (!status) return pass(std::move(status.error()));
        return std::move(*committed_);
    }

private:
    static UploadTimes upload_times(Duration patience) {
        UploadTimes times;
        times.patience = patience;
        return times;
    }

    void tick() {
        happened(event::Tick{});
        tell_if_waiting();
        call_.loop().after(between_ticks, [this] { tick(); });
    }

    void tell_if_waiting() {
        if (told_ || call_.loop().now() - began_ < quiet_at_first || call_.ready()) return;
        auto const why = call_.why_not();
        if (why.empty()) return;
        told_ = true;
        progress_.waiting(fmt::format("waiting: {}", why));
    }

    // An XPUB receives each subscription as a message: 1, then the topic.
    void read_subscriptions() {
        while (auto const received = announcing_.receive()) {
            auto const text = as_text(as_view(received->frames.front()));
            if (text.starts_with('\x01') && text.substr(1) == wire::everybody) happened(event::SubscriptionSeen{});
        }
    }

    // An action may cause an event while another one is being handled: the queue keeps their order.
    void happened(Event event) {
        events_.push_back(std::move(event));
        if (handling_) return;
        handling_ = true;
        while (!events_.empty()) {
            auto const next = std::move(events_.front());
            events_.pop_front();
            for (auto const& action : upload_.on(next, call_.loop().now()))
                std::visit([this](auto const& a) { perform(a); }, action);
        }
        handling_ = false;
    }

    void perform(action::SendExchange const& send) {
        if (!send.payload) return call_.exchange().send(send.message);
        auto const object = objects_.find(send.payload->object);
        LULL_INVARIANT(object != objects_.end());
        call_.exchange().send(send.message, object->second, send.payload->offset, send.payload->length);
    }

    void perform(action::Compress const& compress) {
        wanted_.insert(compress.object);
        auto job = [&source = source_, digest = compress.object]() -> Result<store::StoredObject> {
            auto const plain = source(digest);
            if (!plain) return pass(plain.error());
            return store::pack_object(*plain, store::quick_level);
        };
        workers_.submit(std::move(job), [this, digest = compress.object](Result<store::StoredObject> object) {
            compressed(digest, std::move(object));
        });
    }

    void compressed(Digest const& digest, Result<store::StoredObject> object) {
        if (!wanted_.contains(digest)) return;
        if (!object) return happened(event::ObjectFailed{digest, object.error()});
        objects_[digest] = std::make_shared<Buffer const>(std::move(object->bytes));
        happened(event::ObjectReady{object->shape});
    }

    void perform(action::Forget const& forget) {
        wanted_.erase(forget.object);
        objects_.erase(forget.object);
    }

    void perform(action::DropFrames const&) { call_.exchange().drop_payloads(); }

    void perform(action::EmitUpdate const& emit) {
        // A full queue drops it: Upload repeats it until COMMITTED.
        std::vector<Frame> frames;
        frames.push_back(to_frame(wire::encode_announcement(emit.update)));
        static_cast<void>(announcing_.send(std::move(frames)));
    }

    // In a later turn: a handler of the old connection may be on the stack.
    void perform(action::Reconnect const&) { call_.connect_after(Duration::zero()); }

    void perform(action::Progress const& progress) { progress_.uploaded(progress.done, progress.total); }
    void perform(action::Done const& done) {
        committed_ = done.committed;
        call_.end();
    }

    void perform(action::Fail const& failure) {
        auto const why = call_.why_not();
        bool const never = failure.error.fault == Fault::unreachable && !why.empty();
        call_.give_up(never ? Error{Fault::unreachable, why} : failure.error);
    }

    ObjectSource source_;
    ClientProgress const& progress_;
    BrokerCall call_;
    Upload upload_;
    Socket announcing_;
    TimePoint began_;
    bool told_ = false;
    bool handling_ = false;
    std::deque<Event> events_;
    std::set<Digest> wanted_;                // compressing or compressed
    std::map<Digest, SharedBytes> objects_;  // compressed
    std::optional<Committed> committed_;
    Workers workers_;
};

}  // namespace

Result<Committed> publish(ClientOptions const& options, Release const& release, Envelope const& update_info,
                          ClientProgress const& progress) {
    return publish(
        options, publication_of(release, update_info),
        [&release](Digest const& object) { return plain_object(release, object); }, progress);
}

Result<Committed> publish(ClientOptions const& options, Publication publication, ObjectSource source,
                          ClientProgress const& progress) {
    return Publishing(options, std::move(publication), std::move(source), progress).run();
}

}  // namespace lull::publisher
