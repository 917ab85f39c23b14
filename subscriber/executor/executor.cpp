#include "subscriber/executor/executor.hpp"

#include <algorithm>

namespace lull::subscriber {

namespace {

constexpr std::size_t most_begun = 65'536;  // ids; the broker sends no CALL-GO twice, even in days
constexpr unsigned most_restaged = 2;       // for what staging has found to be missing or damaged

std::string name_of(ReleaseId const& release) {
    return fmt::format("{} {}", release.software.text(), release.version.text());
}

std::uint64_t micros_of(Duration duration) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

constexpr std::uint64_t killed = 9;  // SIGKILL

}  // namespace

// ---- the session ----

void Executor::session_began() {
    in_session_ = true;
    std::vector<std::string_view> names;
    for (auto const& software : settings_.allowed) names.push_back(software.text());
    ports_.log(LogLevel::info,
               fmt::format("calls: serves {}; at most {} at once", fmt::join(names, ", "), settings_.slots));
    ports_.send(Serve{{settings_.allowed.begin(), settings_.allowed.end()}, settings_.slots});
}

void Executor::session_ended() {
    in_session_ = false;
    for (auto call = calls_.begin(); call != calls_.end();) {
        auto const here = call++;
        here->second.told = true;
        if (here->second.state == Call::State::running) {
            stop(here->second, CallReason::executor_lost);
        } else if (here->second.state != Call::State::stopping) {
            end(here);
        }
    }
    get_next();
}

// ---- offers ----

Result<Executor::Call> Executor::accept(CallOffer const& offer) const {
    auto const info = open_update_info(offer.entry.update, settings_.trusted);
    if (!info) return pass(info.error());
    ReleaseId const release{info->software, offer.entry.seq, info->version};
    auto const* const build = info->build_for(settings_.architecture);
    if (build == nullptr)
        return fail(Fault::not_found, "{} has no build for {}", name_of(release), settings_.architecture.text());
    return Call{offer, release, build->manifest, build->manifest_size, build->size};
}

std::optional<unsigned> Executor::free_slot() const {
    for (unsigned slot = 0; slot < settings_.slots; ++slot) {
        bool const taken = std::ranges::any_of(calls_, [&](auto const& call) { return call.second.slot == slot; });
        if (!taken) return slot;
    }
    return std::nullopt;
}

void Executor::refuse(CallId const& id, CallReason reason, std::string text) {
    ports_.send(CallState{id, CallPhase::refused, std::nullopt, reason, std::move(text), std::nullopt});
}

void Executor::on(CallOffer const& offer) {
    auto const known_call = calls_.find(offer.id);
    if (known_call != calls_.end() && !known_call->second.told) return;  // its answer is still to come
    if (begun_.contains(offer.id)) return refuse(offer.id, CallReason::invalid, "this call has begun here before");
    auto call = accept(offer);
    if (!call) return refuse(offer.id, CallReason::not_prepared, call.error().message);
    auto const valid = validate_call(offer.program, offer.arguments, offer.limits);
    if (!valid) return refuse(offer.id, CallReason::invalid, valid.error().message);
    if (!settings_.allowed.contains(call->release.software)) {
        return refuse(
            offer.id, CallReason::not_allowed,
            fmt::format("the owner of this executor does not allow {} (--allow-calls)", call->release.software.text()));
    }
    auto const info = decode_update_info(offer.entry.update.payload);
    bool const callable = info && info->callable &&
                          std::ranges::find(*info->callable, offer.program) != info->callable->end();
    if (!callable) {
        return refuse(offer.id, CallReason::not_callable,
                      fmt::format("{} does not list {} as callable", name_of(call->release), offer.program));
    }
    auto const slot = free_slot();
    if (!slot) {
        return refuse(offer.id, CallReason::busy,
                      fmt::format("{} calls are prepared or run here, the most (--call-slots)", settings_.slots));
    }
    call->slot = *slot;
    auto& fresh = calls_.emplace(offer.id, *std::move(call)).first->second;
    if (cache_.ready(fresh.release)) return reserve(fresh);
    get_next();
}

void Executor::reserve(Call& call) {
    cache_.begin_use(call.release);
    call.state = Call::State::reserved;
    ports_.send(CallReady{call.offer.id});
}

// ---- a call ----

void Executor::on(CallGo const& message) {
    auto const found = calls_.find(message.id);
    bool const reserved = found != calls_.end() && found->second.state == Call::State::reserved;
    if (!reserved || begun_.contains(message.id)) {
        if (found == calls_.end()) refuse(message.id, CallReason::not_started, "this executor does not know the call");
        return;
    }
    begun_.insert(message.id);
    begun_in_order_.push_back(message.id);
    if (begun_in_order_.size() > most_begun) {
        begun_.erase(begun_in_order_.front());
        begun_in_order_.pop_front();
    }
    auto& call = found->second;
    call.state = Call::State::running;
    auto const& limits = call.offer.limits;
    auto const time = std::chrono::seconds(std::min<std::uint64_t>(
        limits.time.value_or(limits::call_seconds), static_cast<std::uint64_t>(settings_.most_time.count())));
    auto const output = std::min(limits.output.value_or(settings_.most_output), settings_.most_output);
    ports_.log(LogLevel::info, fmt::format("call of {}: {} of {} begins", call.offer.caller.text(), call.offer.program,
                                           name_of(call.release)));
    ports_.perform(
        StartCall{message.id, call.slot, call.release, call.offer.program, call.offer.arguments, time, output});
}

void Executor::event(CallBegan const& event) {
    auto const found = calls_.find(event.id);
    if (found == calls_.end()) return;
    auto& call = found->second;
    if (!event.status) {
        if (!call.told) refuse(event.id, CallReason::not_started, event.status.error().message);
        return end(found);
    }
    if (call.told) return;
    ports_.send(CallState{event.id, CallPhase::running, std::nullopt, std::nullopt, {}, std::nullopt});
    if (auto const credit = call.input.credit_due()) ports_.send(CallCredit{event.id, CallStream::in, *credit});
}

void Executor::on(CallData const& message, Bytes payload) {
    auto const found = calls_.find(message.id);
    if (found == calls_.end() || found->second.state != Call::State::running) return;
    auto& call = found->second;
    bool const fits = message.stream == CallStream::in && payload <= limits::call_frame &&
                      call.input.accept(message.offset, payload);
    if (!fits) return stop(call, CallReason::broken_flow);
    if (message.last) call.input.end();
    ports_.perform(FeedCall{message.id, message.last ? FeedCall::Then::end : FeedCall::Then::more});
}

void Executor::event(CallRead const& event) {
    auto const found = calls_.find(event.id);
    if (found == calls_.end() || found->second.state != Call::State::running) return;
    auto& call = found->second;
    call.input.took(event.size);
    if (auto const credit = call.input.credit_due()) ports_.send(CallCredit{event.id, CallStream::in, *credit});
}

void Executor::on(CallCredit const& message) {
    auto const found = calls_.find(message.id);
    if (found == calls_.end() || message.stream == CallStream::in || found->second.state != Call::State::running)
        return;
    auto& flow = found->second.flow(message.stream);
    if (flow.permit(message.permitted)) allow(message.id, message.stream, flow);
}

void Executor::event(CallWrote const& event) {
    auto const found = calls_.find(event.id);
    if (found == calls_.end() || found->second.told) return;
    auto& flow = found->second.flow(event.stream);
    auto const offset = flow.send(event.size);
    ports_.perform(SendOutput{{event.id, event.stream, offset, false}});
    if (found->second.state == Call::State::running) allow(event.id, event.stream, flow);
}

void Executor::allow(CallId const& id, CallStream stream, OutgoingFlow const& flow) {
    if (!flow.left().zero()) ports_.perform(AllowOutput{id, stream, flow.left()});
}

void Executor::on(CallCancel const& message) {
    auto const found = calls_.find(message.id);
    if (found == calls_.end()) return;
    auto& call = found->second;
    auto const reason = message.reason.value_or(CallReason::cancelled);
    if (call.state == Call::State::running) return stop(call, reason);
    if (call.state == Call::State::stopping) return;
    refuse(message.id, reason, "it had not begun");
    end(found);
    get_next();
}

void Executor::stop(Call& call, CallReason reason) {
    if (call.state != Call::State::running) return;
    call.state = Call::State::stopping;
    call.stopped = reason;
    ports_.perform(StopCall{call.offer.id});
}

void Executor::end_sending(Call& call) {
    for (auto const stream : {CallStream::out, CallStream::err})
        ports_.send(CallData{call.offer.id, stream, call.flow(stream).sent(), true});
}

void Executor::event(CallRunEnded const& event) {
    auto const found = calls_.find(event.id);
    if (found == calls_.end()) return;
    auto& call = found->second;
    using How = CallRunEnded::How;
    CallState state{event.id, CallPhase::ended, CallResult{}, call.stopped, {}, std::nullopt};
    auto& result = *state.result;
    result.cpu = micros_of(event.processor_time);
    result.duration = micros_of(event.took);
    if (event.how == How::exited) {
        result.status = event.status;
    } else {
        result.signal = killed;
    }
    switch (event.how) {
        case How::timed_out: state.reason = CallReason::time_limit; break;
        case How::too_much_output: state.reason = CallReason::output_limit; break;
        case How::killed: state.text = "something outside of it has killed it, or memory was short"; break;
        case How::not_started: state.text = "the sandbox could not be made; see standard error"; break;
        case How::exited:
        case How::stopped: break;
    }
    if (event.how == How::not_started) {  // nothing of the program has run
        state.phase = CallPhase::refused;
        state.result.reset();
        state.reason = CallReason::not_started;
    }
    ports_.log(LogLevel::info, fmt::format("call of {}: {} of {} ended after {}{}", call.offer.caller.text(),
                                           call.offer.program, name_of(call.release), lull::to_text(event.took),
                                           state.reason ? fmt::format(" ({})", lull::to_text(*state.reason))
                                                        : fmt::format(" with status {}", event.status)));
    if (!call.told) {
        end_sending(call);
        ports_.send(std::move(state));
    }
    end(found);
    get_next();
}

// Behind this the slot is free.
void Executor::end(Calls::iterator call) {
    if (call->second.state != Call::State::preparing) cache_.end_use(call->second.release);
    calls_.erase(call);
}

// ---- trees ----

// One after the other: what a call needs may be what the one before it needs too.
void Executor::get_next() {
    drop_unneeded();
    if (getting_) return;
    auto const next = std::ranges::find_if(
        calls_, [](auto const& call) { return call.second.state == Call::State::preparing; });
    if (next != calls_.end()) get(next->second);
}

// What no call waits for any more is not fetched to its end; what works on files of ours comes to its own end.
void Executor::drop_unneeded() {
    using Step = Getting::Step;
    if (!getting_ || (getting_->step != Step::manifest && getting_->step != Step::objects)) return;
    bool const needed = std::ranges::any_of(calls_, [&](auto const& call) {
        return call.second.state == Call::State::preparing && call.second.release == getting_->release;
    });
    if (!needed) end_getting();
}

void Executor::get(Call const& call) {
    getting_ = Getting{call.release, call.manifest, call.manifest_size};
    if (cache_.state(call.release) == TreeCache::State::removing) {
        getting_->step = Getting::Step::room;  // until it is gone
        return;
    }
    if (cache_.state(call.release) == TreeCache::State::left) {
        getting_->step = Getting::Step::verifying;
        return ports_.perform(VerifyCallTree{call.release, call.manifest});
    }
    getting_->base = cache_.base_for(call.release);
    if (getting_->base) cache_.begin_use(*getting_->base);
    ports_.log(LogLevel::info, fmt::format("calls: fetches {}", name_of(call.release)));
    ports_.want(call.release, {call.manifest, call.manifest_size});
    go_on();
}

Materials Executor::materials() const {
    return {getting_->release, getting_->manifest, getting_->base, ports_.shapes(getting_->release.software),
            std::nullopt};
}

// What can be done now.
void Executor::go_on() {
    auto& getting = *getting_;
    using Step = Getting::Step;
    if (getting.step == Step::manifest && ports_.has_all(getting.release.software)) {
        getting.step = Step::plan;
        return ports_.perform(PlanCallTree{materials()});
    }
    if (getting.step == Step::objects && ports_.has_all(getting.release.software)) {
        getting.step = Step::room;
        auto gone = cache_.make_room(getting.release, getting.plan->tree_size);
        if (!gone && getting.base) return plan_without_base();
        if (!gone) return cannot_get(gone.error());
        for (auto const& other : *gone) {
            ports_.log(LogLevel::info, fmt::format("calls: removes {}", name_of(other)));
            ports_.perform(RemoveCallTree{other});
        }
    }
    if (getting.step == Step::room && getting.plan && cache_.has_room(getting.release, getting.plan->tree_size)) {
        getting.step = Step::staging;
        cache_.begins(getting.release, getting.plan->tree_size);
        ports_.perform(StageCallTree{materials()});
    }
}

// The tree that was to spare bytes takes the room of the one that is wanted.
void Executor::plan_without_base() {
    cache_.end_use(*std::exchange(getting_->base, std::nullopt));
    getting_->plan.reset();
    getting_->step = Getting::Step::plan;
    ports_.perform(PlanCallTree{materials()});
}

void Executor::object_arrived(SoftwareName const& software) {
    if (getting_ && getting_->release.software == software) go_on();
}

void Executor::object_lost(SoftwareName const& software, Error const& error) {
    if (!getting_ || getting_->release.software != software) return;
    // What works on files of ours comes to its own end.
    if (getting_->step == Getting::Step::manifest || getting_->step == Getting::Step::objects) cannot_get(error);
}

void Executor::event(CallTreePlanned const& event) {
    if (!getting_ || getting_->release != event.release || getting_->step != Getting::Step::plan) return;
    if (!event.plan) return cannot_get(event.plan.error());
    if (event.plan->no_room) return cannot_get(*event.plan->no_room);
    getting_->plan = *event.plan;
    getting_->step = Getting::Step::objects;
    for (auto const& object : event.plan->objects) ports_.want(event.release, object);
    go_on();
}

void Executor::event(CallTreeReady const& event) {
    if (!getting_ || getting_->release != event.release) return;
    bool const verified = getting_->step == Getting::Step::verifying;
    if (event.status) {
        cache_.becomes_ready(event.release);
        return got();
    }
    cache_.removed(event.release);
    if (verified) {  // it is of no use, and is built anew in its place
        ports_.log(LogLevel::warn, fmt::format("calls: {}", event.status.error().message));
        end_getting();
        return get_next();
    }
    if (event.refetch.empty() || ++getting_->restaged > most_restaged) return cannot_get(event.status.error());
    getting_->step = Getting::Step::objects;
    for (auto const& object : event.refetch) {
        if (!object.size.zero()) ports_.want(event.release, object);
    }
    go_on();
}

void Executor::event(CallTreeRemoved const& event) {
    if (!event.status)
        ports_.log(LogLevel::warn,
                   fmt::format("calls: cannot remove {}: {}", name_of(event.release), event.status.error().message));
    cache_.removed(event.release);
    if (!getting_ || getting_->step != Getting::Step::room) return;
    if (getting_->plan) return go_on();
    end_getting();  // the release itself was being removed: from the beginning
    get_next();
}

void Executor::got() {
    auto const release = getting_->release;
    ports_.log(LogLevel::info, fmt::format("calls: {} is ready, {} of {} in use", name_of(release),
                                           lull::to_text(cache_.used()), lull::to_text(settings_.cache)));
    end_getting();
    for (auto& [id, call] : calls_) {
        if (call.state == Call::State::preparing && call.release == release) reserve(call);
    }
    get_next();
}

void Executor::cannot_get(Error const& error) {
    auto const release = getting_->release;
    ports_.log(LogLevel::warn, fmt::format("calls: {}: {}", name_of(release), error.message));
    end_getting();
    for (auto call = calls_.begin(); call != calls_.end();) {
        auto const here = call++;
        if (here->second.state != Call::State::preparing || here->second.release != release) continue;
        if (!here->second.told) refuse(here->first, CallReason::not_prepared, error.message);
        end(here);
    }
    get_next();
}

void Executor::end_getting() {
    ports_.unwant(getting_->release.software);
    if (getting_->base) cache_.end_use(*getting_->base);
    getting_.reset();
}

void Executor::on(CallEvent const& happened) {
    std::visit([this](auto const& concrete) { event(concrete); }, happened);
}

}  // namespace lull::subscriber
