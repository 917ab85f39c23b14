#include "publisher/client/upload.hpp"

#include <algorithm>

namespace lull::publisher {

namespace {

constexpr Duration longest_rest = std::chrono::seconds(30);
constexpr Duration answer_within = std::chrono::seconds(
    2);  // of an OFFER; after that the broker has forgotten the session

Fault fault_of(Refusal reason) {
    switch (reason) {
        case Refusal::no_space: return Fault::no_space;
        case Refusal::damaged: return Fault::damaged;
        default: return Fault::refused;
    }
}

}  // namespace

Upload::Upload(Publication publication, UploadTimes times, TimePoint now)
    : publication_(std::move(publication)),
      times_(times),
      now_(now),
      retry_(times.first_retry),
      retry_at_(now),
      heard_(now),
      progress_(now) {}

Actions Upload::on(Event const& event, TimePoint now) {
    if (state_ == State::over) return {};
    now_ = now;
    std::visit([this](auto const& e) { handle(e); }, event);
    return std::exchange(actions_, {});
}

// ---- the link ----

void Upload::handle(event::Connected const&) {
    heard_ = now_;
    begin_session();
    offer();
}

void Upload::handle(event::Disconnected const&) {
    if (state_ == State::connecting) return;
    rest(retry_, true);
    retry_ = std::min(retry_ * 2, times_.last_retry);
}

void Upload::handle(event::SubscriptionSeen const&) {
    subscribed_ = true;
    announce_if_due();
}

void Upload::handle(event::Tick const&) {
    if (now_ - progress_ >= times_.patience) return give_up();
    if (state_ == State::connecting) return;
    if (state_ == State::resting) {
        if (now_ < retry_at_) return;
        if (!reconnect_) return offer();
        state_ = State::connecting;
        actions_.push_back(action::Reconnect{});
        return;
    }
    check_silence();
    announce_if_due();
}

void Upload::check_silence() {
    if (now_ - heard_ >= times_.reconnect_after) {
        drop_wanted();
        state_ = State::connecting;
        actions_.push_back(action::Reconnect{});
    } else if (now_ - heard_ >= times_.ping_after && !pinged_) {
        pinged_ = true;
        actions_.push_back(action::SendExchange{Ping{}, {}});
    }
}

// Waits for retry_at_ and frees the objects in memory: the next NEED names what the broker still lacks.
void Upload::rest(Duration wait, bool reconnect) {
    drop_wanted();
    state_ = State::resting;
    reconnect_ = reconnect;
    retry_at_ = now_ + wait;
}

// ---- the dialogue ----

void Upload::offer() {
    state_ = State::offered;
    offered_at_ = now_;
    emitted_.reset();
    actions_.push_back(action::SendExchange{publication_.offer, {}});
}

// Each session counts its credit from 0.
void Upload::begin_session() {
    drop_wanted();
    actions_.push_back(action::DropFrames{});
    permitted_ = {};
    sent_ = {};
    queued_ = 0;
    pinged_ = false;
}

void Upload::handle(event::Arrived const& event) {
    heard_ = now_;
    pinged_ = false;
    std::visit([this](auto const& message) { receive(message); }, event.message);
}

void Upload::receive(Need const& need) {
    bool const listening = state_ == State::offered || state_ == State::sending || state_ == State::announcing;
    if (!listening || !about_this(need.software, need.version)) return;
    bool const repeated = need.objects == asked_;
    if (!repeated) progress_ = now_;  // a link that breaks after each NEED makes none
    if (state_ == State::sending && repeated && !wanted_.empty()) return;
    drop_wanted();
    asked_ = need.objects;
    more_ = need.more;
    if (!need.objects.empty()) return begin_sending(need);
    state_ = State::announcing;
    announce_if_due();
}

void Upload::begin_sending(Need const& need) {
    state_ = State::sending;
    for (auto const& object : need.objects) {
        auto const known = publication_.objects.find(object);
        if (known == publication_.objects.end()) {
            return end_with({Fault::failed,
                             fmt::format("the broker asks for object {}, which this release does not have; check that "
                                         "the versions of lull and lull-broker fit",
                                         object.hex())});
        }
        wanted_.push_back({object, known->second});
    }
    report_progress();
    compress_ahead();
}

void Upload::receive(Committed const& committed) {
    if (!about_this(committed.software, committed.version)) return;
    drop_wanted();
    state_ = State::over;
    actions_.push_back(action::Done{committed});
}

void Upload::receive(Refused const& refused) {
    if (refused.reason == Refusal::no_session) {
        // The broker refuses each frame in transit like this; the answer to our OFFER follows.
        bool const forgotten = state_ == State::sending || state_ == State::announcing ||
                               (state_ == State::offered && now_ - offered_at_ >= answer_within);
        if (!forgotten) return;
        begin_session();
        return offer();
    }
    end_with({fault_of(refused.reason), fmt::format("the broker refuses {} {}: {}", publication_.offer.software.text(),
                                                    publication_.offer.version.text(), refused.text)});
}

void Upload::receive(Credit const& credit) {
    if (credit.permitted <= permitted_) return;
    permitted_ = credit.permitted;
    progress_ = now_;
    retry_ = times_.first_retry;
    send_frames();
}

void Upload::receive(Busy const& busy) {
    auto const asked = std::chrono::milliseconds(std::min<std::uint64_t>(busy.retry_after, 60'000));
    begin_session();
    rest(std::min<Duration>(asked, longest_rest), true);
}

// ---- objects ----

void Upload::handle(event::ObjectReady const& event) {
    auto const found = std::find_if(wanted_.begin(), wanted_.end(),
                                    [&](auto const& w) { return w.object == event.shape.object; });
    if (found == wanted_.end() || !found->compressing) return;
    found->shape = event.shape;
    progress_ = now_;
    send_frames();
}

void Upload::handle(event::ObjectFailed const& event) {
    auto const wanted = [&](auto const& w) { return w.object == event.object && w.compressing; };
    if (std::any_of(wanted_.begin(), wanted_.end(), wanted)) end_with(event.error);
}

void Upload::compress_ahead() {
    for (std::size_t i = 0; i < std::min(ahead, wanted_.size()); ++i) {
        if (wanted_[i].compressing) continue;
        wanted_[i].compressing = true;
        actions_.push_back(action::Compress{wanted_[i].object});
    }
}

void Upload::handle(event::FrameTaken const&) {
    heard_ = now_;
    progress_ = now_;
    if (queued_ > 0) --queued_;
    send_frames();
}

// In order, limited by credit, by compressed objects, and by the queue of the network.
void Upload::send_frames() {
    bool any = false;
    while (!wanted_.empty() && wanted_.front().shape && queued_ < most_queued) {
        auto& object = wanted_.front();
        auto const left = object.shape->stored - object.sent;
        auto const length = std::min({frame, left, permitted_ - sent_});
        if (length.zero()) break;
        actions_.push_back(
            action::SendExchange{Put{*object.shape, object.sent}, PayloadRange{object.object, object.sent, length}});
        any = true;
        ++queued_;
        object.sent += length;
        sent_ += length;
        if (object.sent < object.shape->stored) continue;
        uploaded_ += object.plain;
        actions_.push_back(action::Forget{object.object});
        wanted_.pop_front();
        compress_ahead();
    }
    if (any) report_progress();
}

void Upload::drop_wanted() {
    for (auto const& wanted : wanted_) {
        if (wanted.compressing) actions_.push_back(action::Forget{wanted.object});
    }
    wanted_.clear();
}

// Estimates objects that no NEED has named yet by the mean size of the named ones.
void Upload::report_progress() {
    Bytes waiting{};
    Bytes part{};
    for (auto const& wanted : wanted_) waiting += wanted.plain;
    if (!wanted_.empty() && wanted_.front().shape && !wanted_.front().shape->stored.zero()) {
        auto const& first = wanted_.front();
        part = Bytes(first.plain.count() * first.sent.count() / first.shape->stored.count());
    }
    auto const later = wanted_.empty() ? Bytes() : Bytes(waiting.count() / wanted_.size() * more_);
    actions_.push_back(action::Progress{uploaded_ + part, uploaded_ + waiting + later});
}

// ---- the end ----

void Upload::announce_if_due() {
    if (state_ != State::announcing || !subscribed_) return;
    if (emitted_ && now_ - *emitted_ < times_.repeat_update) return;
    emitted_ = now_;
    Update update;
    update.entry.update = publication_.update_info;
    actions_.push_back(action::EmitUpdate{std::move(update)});
}

void Upload::give_up() {
    auto const doing = [this]() -> std::string {
        switch (state_) {
            case State::offered: return "the broker does not answer the offer";
            case State::sending:
                return wanted_.empty() ? "the broker does not confirm that it stored the sent objects"
                                       : "the broker grants no more credit; another publisher may be uploading";
            case State::announcing:
                return subscribed_ ? "the broker does not confirm the release"
                                   : "the broker does not listen on its port for publications";
            default: return "there is no connection";
        }
    }();
    end_with(
        {Fault::unreachable,
         fmt::format(
             "cannot publish {} {}: {} for {}; the broker keeps what it has stored: publish again, with a larger "
             "--timeout if the broker is busy",
             publication_.offer.software.text(), publication_.offer.version.text(), doing, to_text(times_.patience))});
}

void Upload::end_with(Error error) {
    drop_wanted();
    state_ = State::over;
    actions_.push_back(action::Fail{std::move(error)});
}

bool Upload::about_this(SoftwareName const& software, VersionName const& version) const {
    return software == publication_.offer.software && version == publication_.offer.version;
}

}  // namespace lull::publisher
