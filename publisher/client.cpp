#include "publisher/client.hpp"

#include <csignal>
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
constexpr Duration quiet_at_first = std::chrono::seconds(2);  // before anybody is told that there is no connection

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

// The shell around an Upload: sockets, workers, and the stored objects that are on their way.
class Publishing {
public:
    Publishing(ClientOptions const& options, Publication publication, ObjectSource source, ClientProgress const& progress)
        : options_(options),
          source_(std::move(source)),
          progress_(progress),
          upload_(std::move(publication), upload_times(options.patience), loop_.now()),
          announcing_(context_, SocketKind::xpub) {
        // Before the workers' threads: they inherit the mask.
        loop_.on_signal({SIGINT, SIGTERM}, [this](int) {
            end(fail(Fault::failed,
                     "interrupted; what the broker has already stays there, and the same command goes on from it"));
        });
        workers_ = std::make_unique<Workers>(loop_, compressing_threads);
    }

    Result<Committed> run() {
        announcing_.secure(CurveClient{options_.own, options_.broker.key.bytes()});
        announcing_.set_reconnect(std::chrono::milliseconds(200), std::chrono::seconds(5));
        if (auto status = announcing_.connect(options_.broker.ingest()); !status)
            return pass(std::move(status.error()));
        auto const watch = loop_.watch(announcing_, [this] { read_subscriptions(); });
        began_ = loop_.now();
        connect();
        tick();
        if (!result_) loop_.run();
        loop_.unwatch(watch);
        workers_.reset();
        exchange_.reset();
        LULL_INVARIANT(result_.has_value());
        return std::move(*result_);
    }

private:
    static UploadTimes upload_times(Duration patience) {
        UploadTimes times;
        times.patience = patience;
        return times;
    }

    void connect() {
        exchange_ = std::make_unique<Exchange>(
            loop_, context_, options_.broker, options_.own,
            Exchange::Handlers{[this] { happened(event::Connected{}); }, [this] { happened(event::Disconnected{}); },
                               [this](Result<Message> message) { arrived(std::move(message)); },
                               [this] { happened(event::FrameTaken{}); }});
        if (auto status = exchange_->open(); !status) end(pass(std::move(status.error())));
    }

    void tick() {
        happened(event::Tick{});
        tell_if_waiting();
        if (!result_) loop_.after(between_ticks, [this] { tick(); });
    }

    void tell_if_waiting() {
        if (told_ || loop_.now() - began_ < quiet_at_first || exchange_->link().ready()) return;
        auto const why = exchange_->link().why_not(options_.broker);
        if (why.empty()) return;
        told_ = true;
        progress_.waiting(fmt::format("waiting: {}", why));
    }

    void arrived(Result<Message> message) {
        if (message) return happened(event::Arrived{std::move(*message)});
        end(fail(message.error().fault, "{} sent {}", exchange_host(options_.broker), message.error().message));
    }

    // An XPUB receives each subscription as a message: 1, then the topic.
    void read_subscriptions() {
        while (auto const received = announcing_.receive()) {
            auto const text = as_text(as_view(received->frames.front()));
            if (text.starts_with('\x01') && text.substr(1) == wire::everybody) happened(event::SubscriptionSeen{});
        }
    }

    // An action may cause the next event before the one at hand is done with: they are taken in turn.
    void happened(Event event) {
        events_.push_back(std::move(event));
        if (handling_) return;
        handling_ = true;
        while (!events_.empty()) {
            auto const next = std::move(events_.front());
            events_.pop_front();
            for (auto const& action : upload_.on(next, loop_.now()))
                std::visit([this](auto const& a) { perform(a); }, action);
        }
        handling_ = false;
    }

    void perform(action::SendExchange const& send) {
        if (!send.payload) return exchange_->send(send.message);
        auto const object = objects_.find(send.payload->object);
        LULL_INVARIANT(object != objects_.end());
        exchange_->send(send.message, object->second, send.payload->offset, send.payload->length);
    }

    void perform(action::Compress const& compress) {
        wanted_.insert(compress.object);
        auto job = [&source = source_, digest = compress.object]() -> Result<store::StoredObject> {
            auto const plain = source(digest);
            if (!plain) return pass(plain.error());
            return store::pack_object(*plain, store::quick_level);
        };
        workers_->submit(std::move(job), [this, digest = compress.object](Result<store::StoredObject> object) {
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

    void perform(action::DropFrames const&) { exchange_->drop_payloads(); }

    void perform(action::EmitUpdate const& emit) {
        // Lost if there is no room: it is repeated until it is confirmed.
        std::vector<Frame> frames;
        frames.push_back(to_frame(wire::encode_announcement(emit.update)));
        static_cast<void>(announcing_.send(std::move(frames)));
    }

    // Not at once: a handler of the old connection may be what led here.
    void perform(action::Reconnect const&) {
        loop_.at_turn_end([this] { connect(); });
    }

    void perform(action::Progress const& progress) { progress_.uploaded(progress.done, progress.total); }
    void perform(action::Done const& done) { end(done.committed); }

    void perform(action::Fail const& failure) {
        auto const why = exchange_->link().why_not(options_.broker);
        bool const never = failure.error.fault == Fault::unreachable && !why.empty();
        end(never ? fail(Fault::unreachable, "{}", why) : pass(failure.error));
    }

    void end(Result<Committed> result) {
        if (!result_) result_ = std::move(result);
        loop_.stop();
    }

    ClientOptions options_;
    ObjectSource source_;
    ClientProgress const& progress_;
    MessagingContext context_;
    EventLoop loop_;
    Upload upload_;
    std::unique_ptr<Workers> workers_;
    Socket announcing_;
    std::unique_ptr<Exchange> exchange_;
    TimePoint began_;
    bool told_ = false;
    bool handling_ = false;
    std::deque<Event> events_;
    std::set<Digest> wanted_;                // compressing or compressed
    std::map<Digest, SharedBytes> objects_;  // compressed
    std::optional<Result<Committed>> result_;
};

}  // namespace

Result<Committed> publish(ClientOptions const& options, Release const& release, Envelope const& update_info,
                          ClientProgress const& progress) {
    return publish(options, publication_of(release, update_info), [&release](Digest const& object) { return plain_object(release, object); }, progress);
}

Result<Committed> publish(ClientOptions const& options, Publication publication, ObjectSource source, ClientProgress const& progress) {
    return Publishing(options, std::move(publication), std::move(source), progress).run();
}

}  // namespace lull::publisher
