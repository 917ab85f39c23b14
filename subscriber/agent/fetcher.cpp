#include "subscriber/agent/fetcher.hpp"

#include <algorithm>
#include <utility>

namespace lull::subscriber {

void Fetcher::load(std::map<Digest, ObjectRecord> const& objects) {
    for (auto const& [digest, record] : objects) {
        bool const before = complete(digest);
        known_[digest] = {record.shape, record.durable, record.durable, record.durable, record.complete};
        if (before != record.complete) count_missing(digest, record.complete ? Change::fewer : Change::more);
    }
}

void Fetcher::want(ReleaseId const& release, Digest const& object, Bytes plain, Wanter::Purpose purpose) {
    wants_.push_back({release, object, plain, purpose});
    Wanter const wanter{release.software, purpose};
    ++wanted_[object][wanter];
    auto& lacking = lacking_[wanter];
    if (complete(object)) return;
    ++lacking;
    ++missing_;
}

// An object has become complete, or is so no longer.
void Fetcher::count_missing(Digest const& object, Change change) {
    auto const wanted = wanted_.find(object);
    if (wanted == wanted_.end()) return;
    for (auto const& [wanter, times] : wanted->second) {
        auto& lacking = lacking_.at(wanter);
        lacking = change == Change::more ? lacking + times : lacking - times;
        missing_ = change == Change::more ? missing_ + times : missing_ - times;
    }
}

void Fetcher::unwant(Wanter const& wanter) {
    auto const lacking = lacking_.find(wanter);
    if (lacking == lacking_.end()) return;
    missing_ -= lacking->second;
    lacking_.erase(lacking);
    std::erase_if(asked_, [&](auto const& asked) { return asked.second->wanter() == wanter; });
    for (auto want = wants_.begin(); want != wants_.end();) {
        if (want->wanter() != wanter) {
            ++want;
            continue;
        }
        auto const wanted = wanted_.find(want->object);
        if (wanted != wanted_.end() && wanted->second.erase(wanter) > 0 && wanted->second.empty()) {
            wanted_.erase(wanted);
            abandon_rest(want->object);
        }
        want = wants_.erase(want);
    }
}

// Bytes behind the last checkpoint will never be made durable by request: they must not take credit for ever.
void Fetcher::abandon_rest(Digest const& object) {
    auto const found = known_.find(object);
    if (found == known_.end() || found->second.arrived == found->second.shape.stored)
        return;  // the disk is at it, or it is complete
    auto& known = found->second;
    on_the_way_ -= std::min(on_the_way_, known.arrived - known.checkpoint);
    known.arrived = known.checkpoint;
}

bool Fetcher::complete(Digest const& object) const {
    auto const found = known_.find(object);
    return found != known_.end() && found->second.complete;
}

std::set<Digest> Fetcher::wanted_for(Wanter const& wanter) const {
    std::set<Digest> objects;
    for (auto const& want : wants_) {
        if (want.wanter() == wanter) objects.insert(want.object);
    }
    return objects;
}

std::vector<Wanter> Fetcher::wanted_by(Digest const& object) const {
    std::vector<Wanter> wanters;
    auto const wanted = wanted_.find(object);
    if (wanted == wanted_.end()) return wanters;
    for (auto const& [wanter, times] : wanted->second) wanters.push_back(wanter);
    return wanters;
}

bool Fetcher::has_all(Wanter const& wanter) const {
    auto const lacking = lacking_.find(wanter);
    return lacking == lacking_.end() || lacking->second == 0;
}

std::map<Digest, ObjectShape> Fetcher::shapes(Wanter const& wanter) const {
    std::map<Digest, ObjectShape> shapes;
    for (auto const& want : wants_) {
        if (want.wanter() == wanter && complete(want.object)) shapes[want.object] = known_.at(want.object).shape;
    }
    return shapes;
}

// Frames that are still at the disk stay accounted for in on_the_way_: they take memory whatever session they came in.
void Fetcher::session_begins() {
    asked_.clear();
    received_ = Bytes();
    permitted_ = Bytes();
}

std::vector<Fetch> Fetcher::requests() {
    std::vector<Fetch> messages;
    if (asked_.size() > limits_.asked / 2 || asked_.size() >= missing_) return messages;
    for (auto want = wants_.cbegin(); want != wants_.cend() && asked_.size() < limits_.asked; ++want) {
        if (asked_.contains(want->object) || complete(want->object)) continue;
        auto const known = known_.find(want->object);
        Bytes const offset = known == known_.end() ? Bytes() : known->second.arrived;
        bool const arrived_in_full = known != known_.end() && !offset.zero() && offset == known->second.shape.stored;
        if (arrived_in_full) continue;  // the disk is at it
        if (messages.empty() || messages.back().software != want->release.software ||
            messages.back().seq != want->release.seq) {
            messages.push_back({want->release.software, want->release.seq, {}});
        }
        messages.back().items.push_back({want->object, offset});
        asked_.emplace(want->object, want);
    }
    return messages;
}

bool Fetcher::plausible(Data const& data, Bytes payload, Want const& want) const {
    auto const& shape = data.shape;
    return shape.plain == want.plain && !shape.stored.zero() && shape.stored <= limits::stored_object &&
           shape.stored <= shape.plain && !payload.zero() && data.offset < shape.stored &&
           payload <= shape.stored - data.offset;
}

Fetcher::Decision Fetcher::data(Data const& data, Bytes payload) {
    received_ += payload;
    auto const asked = asked_.find(data.shape.object);
    if (asked == asked_.end()) return {Verdict::ignore};
    if (!plausible(data, payload, *asked->second)) return {Verdict::broken};

    auto& known = known_[data.shape.object];
    if (known.shape != data.shape) {
        // The first frame, or the broker has stored the object anew: what we have of another shape is of no use.
        settle(known, known.arrived);
        known = Known{data.shape};
    }
    if (known.arrived != data.offset) return {data.offset < known.arrived ? Verdict::ignore : Verdict::broken};
    known.arrived += payload;
    on_the_way_ += payload;
    if (known.arrived == known.shape.stored) {
        asked_.erase(asked);
        return {Verdict::store, StoreFrame::Then::finish};
    }
    if (known.arrived - known.checkpoint < limits_.checkpoint) return {Verdict::store};
    known.checkpoint = known.arrived;
    return {Verdict::store, StoreFrame::Then::sync};
}

std::optional<Credit> Fetcher::credit_due() {
    Bytes const free = limits_.window - std::min(limits_.window, on_the_way_);
    Bytes const permitted = received_ + free;
    if (permitted <= permitted_) return std::nullopt;
    if (!permitted_.zero() && (permitted - permitted_).count() < limits_.window.count() / 8) return std::nullopt;
    permitted_ = permitted;
    return Credit{permitted};
}

void Fetcher::settle(Known& known, Bytes upto) {
    if (upto <= known.settled || upto > known.arrived) return;
    on_the_way_ -= std::min(on_the_way_, upto - known.settled);
    known.settled = upto;
}

std::optional<ObjectRecord> Fetcher::synced(Digest const& object, Bytes upto) {
    auto const found = known_.find(object);
    if (found == known_.end() || upto > found->second.arrived || upto <= found->second.settled) return std::nullopt;
    if (upto == found->second.shape.stored)
        return std::nullopt;  // what is all here is recorded when it is checked: finished()
    settle(found->second, upto);
    return ObjectRecord{found->second.shape, upto, false};
}

std::optional<ObjectRecord> Fetcher::finished(Digest const& object) {
    auto const found = known_.find(object);
    if (found == known_.end() || found->second.arrived != found->second.shape.stored) return std::nullopt;
    settle(found->second, found->second.arrived);
    if (!std::exchange(found->second.complete, true)) count_missing(object, Change::fewer);
    return ObjectRecord{found->second.shape, found->second.shape.stored, true};
}

void Fetcher::forget(Digest const& object) {
    if (auto const found = known_.find(object); found != known_.end()) {
        if (found->second.complete) count_missing(object, Change::more);
        settle(found->second, found->second.arrived);
        known_.erase(found);
    }
    asked_.erase(object);
}

std::vector<Digest> Fetcher::garbage() const {
    std::vector<Digest> objects;
    for (auto const& [digest, known] : known_) {
        if (!wanted_.contains(digest)) objects.push_back(digest);
    }
    return objects;
}

Bytes Fetcher::arrived_for(Wanter const& wanter) const {
    Bytes total{};
    for (auto const& want : wants_) {
        auto const found = known_.find(want.object);
        if (want.wanter() == wanter && found != known_.end()) total += found->second.arrived;
    }
    return total;
}

}  // namespace lull::subscriber
