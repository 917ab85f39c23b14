#include "subscriber/install/incoming.hpp"

#include "schema/limits.hpp"
#include "store/compression.hpp"

namespace lull::subscriber {

namespace {

constexpr Duration before_another_try = std::chrono::seconds(5);  // to delete something; twice as long each time
constexpr Duration longest_before_another_try = std::chrono::hours(1);

// A fresh ObjectFiles: the finisher must not keep a descriptor of a file that the writer has begun anew. It syncs the
// name as well.
Status make_durable(fs::path const& directory, Digest const& object) { return ObjectFiles(directory).sync(object); }

// Raw objects are their own contents: they are hashed in pieces that stay in the processor's cache.
Status check_raw(fs::path const& directory, ObjectShape const& shape) {
    auto const digest = ObjectFiles(directory).hash(shape.object);
    if (!digest) return pass(digest.error());
    if (*digest == shape.object) return {};
    return fail(Fault::damaged, "object {} is damaged: its contents have another digest", shape.object.hex());
}

Status check_packed(fs::path const& directory, ObjectShape const& shape) {
    auto const stored = ObjectFiles(directory).read(shape.object, limits::stored_object);
    if (!stored) return pass(stored.error());
    return store::check_object(shape, *stored, limits::envelope);
}

Status check_object(fs::path const& directory, ObjectShape const& shape) {
    if (auto durable = make_durable(directory, shape.object); !durable) return durable;
    return shape.codec == ObjectCodec::raw ? check_raw(directory, shape) : check_packed(directory, shape);
}

}  // namespace

Incoming::Incoming(EventLoop& loop, fs::path directory, Log& log, Tell tell)
    : loop_(loop),
      log_(log),
      directory_(std::move(directory)),
      files_(directory_),
      next_try_after_(before_another_try),
      tell_(std::move(tell)),
      writer_(loop, 1),
      finisher_(loop, 1) {}

Result<Incoming::Outcome> Incoming::write(StoreFrame const& frame, View payload) {
    auto const& object = frame.shape.object;
    if (auto const failed = failed_at_.find(object); failed != failed_at_.end()) {
        if (frame.offset > failed->second) return Outcome::skipped;
        failed_at_.erase(failed);
    }
    Status status;
    // What an earlier try left must not stand behind the last byte of this one.
    undeleted_.erase(object);
    if (frame.offset.zero()) status = files_.remove(object);
    if (status) status = files_.write(object, frame.offset, payload);
    if (status) return Outcome::written;
    failed_at_[object] = frame.offset;
    return pass(status.error());
}

void Incoming::store(StoreFrame const& frame, Frame payload) {
    Bytes const upto = frame.offset + Bytes(payload.size());
    writer_.submit([this, frame, payload = std::move(payload)] { return write(frame, as_view(payload)); },
                   [this, frame, upto](Result<Outcome> const& outcome) {
                       if (!outcome) return tell_(ObjectUnwritten{frame.shape.object, outcome.error()});
                       if (*outcome == Outcome::skipped) return;
                       if (frame.then == StoreFrame::Then::sync) sync(frame.shape, upto);
                       if (frame.then == StoreFrame::Then::finish) finish(frame.shape);
                   });
}

void Incoming::sync(ObjectShape const& shape, Bytes upto) {
    finisher_.submit([this, object = shape.object] { return make_durable(directory_, object); },
                     [this, object = shape.object, upto](Status const& status) {
                         if (status) return tell_(ObjectSynced{object, upto});
                         tell_(ObjectUnwritten{object, status.error()});
                     });
}

void Incoming::finish(ObjectShape const& shape) {
    finisher_.submit([this, shape] { return check_object(directory_, shape); },
                     [this, object = shape.object](Status status) {
                         tell_(ObjectFinished{object, std::move(status)});
                     });
}

void Incoming::drop(std::vector<Digest> objects) {
    writer_.submit(
        [this, objects = std::move(objects)] {
            for (auto const& object : objects) {
                failed_at_.erase(object);
                undeleted_.insert(object);
            }
            return remove_undeleted();
        },
        [this](Status const& status) { try_again_after(status); });
}

void Incoming::after_all(std::function<void()> then) {
    writer_.submit([] { return true; }, [then = std::move(then)](bool) { then(); });
}

void Incoming::try_again_after(Status const& status) {
    if (status) {
        next_try_after_ = before_another_try;
        return;
    }
    if (std::exchange(will_try_, true)) return;
    log_.warn("what is not needed any more stays for a while: {}", status.error().message);
    loop_.after(next_try_after_, [this] {
        will_try_ = false;
        drop({});
    });
    next_try_after_ = std::min(2 * next_try_after_, longest_before_another_try);
}

Status Incoming::remove_undeleted() {
    Status outcome;
    std::erase_if(undeleted_, [&](Digest const& object) {
        auto const removed = files_.remove(object);
        if (!removed) outcome = removed;
        return removed.has_value();
    });
    return outcome;
}

}  // namespace lull::subscriber
