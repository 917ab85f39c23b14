#include "broker/calls/executors.hpp"

#include <tuple>

namespace lull::broker {

namespace {

// Whether the first one has a smaller part of its slots taken.
bool has_less_load(Executors::Executor const& a, Executors::Executor const& b) {
    auto const of_a = a.calls.size() * b.slots;
    auto const of_b = b.calls.size() * a.slots;
    return std::tie(of_a, a.name) < std::tie(of_b, b.name);
}

}  // namespace

bool Executors::set(SessionId session, Executor const& executor, std::size_t most) {
    auto const known = executors_.find(session);
    if (known == executors_.end() && executor.software.empty()) return true;
    if (known == executors_.end() && executors_.size() >= most) return false;
    auto& entry = executors_[session];
    auto calls = std::move(entry.calls);
    entry = executor;
    entry.calls = std::move(calls);
    if (entry.software.empty() && entry.calls.empty()) executors_.erase(session);
    return true;
}

std::set<CallNumber> Executors::remove(SessionId session) {
    auto entry = executors_.extract(session);
    return entry.empty() ? std::set<CallNumber>() : std::move(entry.mapped().calls);
}

std::optional<SessionId> Executors::least_loaded(SoftwareName const& software, Tried const& tried) const {
    auto best = executors_.end();
    for (auto one = executors_.begin(); one != executors_.end(); ++one) {
        auto const& [session, executor] = *one;
        bool const fits = executor.software.contains(software) && executor.calls.size() < executor.slots &&
                          !tried.contains(session);
        if (fits && (best == executors_.end() || has_less_load(executor, best->second))) best = one;
    }
    if (best == executors_.end()) return std::nullopt;
    return best->first;
}

bool Executors::serves(SoftwareName const& software, Tried const& tried) const {
    for (auto const& [session, executor] : executors_) {
        if (executor.slots > 0 && executor.software.contains(software) && !tried.contains(session)) return true;
    }
    return false;
}

void Executors::take(SessionId session, CallNumber call) { executors_.at(session).calls.insert(call); }

void Executors::release(SessionId session, CallNumber call) {
    auto const found = executors_.find(session);
    if (found == executors_.end()) return;
    found->second.calls.erase(call);
    if (found->second.software.empty() && found->second.calls.empty()) executors_.erase(found);
}

Executors::Executor const* Executors::find(SessionId session) const {
    auto const found = executors_.find(session);
    return found == executors_.end() ? nullptr : &found->second;
}

}  // namespace lull::broker
