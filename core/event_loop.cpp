#include "core/event_loop.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iterator>

namespace lull {

namespace {

timespec to_timespec(Duration duration) {
    auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
    return {seconds.count(), (duration - seconds).count()};
}

}  // namespace

EventLoop::EventLoop() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { LULL_INVARIANT(wake_.valid()); }
EventLoop::~EventLoop() = default;

EventLoop::WatchId EventLoop::watch(Socket& socket, Task handler) {
    auto entry = std::make_unique<SocketWatch>(
        SocketWatch{next_id_++, &socket, socket.descriptor(), std::move(handler)});
    sockets_.push_back(std::move(entry));
    return sockets_.back()->id;
}

EventLoop::WatchId EventLoop::watch(int descriptor, short events, Task handler) {
    descriptors_.push_back(
        std::make_unique<DescriptorWatch>(DescriptorWatch{next_id_++, descriptor, events, std::move(handler)}));
    return descriptors_.back()->id;
}

void EventLoop::unwatch(WatchId id) {
    for (auto& entry : sockets_) {
        if (entry->id == id) entry->dead = any_dead_ = true;
    }
    for (auto& entry : descriptors_) {
        if (entry->id == id) entry->dead = any_dead_ = true;
    }
}

EventLoop::TimerId EventLoop::at(TimePoint when, Task task) {
    auto const id = next_id_++;
    timers_.emplace(when, std::pair(id, std::move(task)));
    return id;
}

void EventLoop::cancel(TimerId id) {
    std::erase_if(timers_, [id](auto const& timer) { return timer.second.first == id; });
}

void EventLoop::post_task(UniqueTask task) {
    bool first = false;
    {
        std::lock_guard const lock(posted_mutex_);
        first = posted_.empty();
        posted_.push_back(std::move(task));
    }
    if (!first) return;  // the loop has been woken for the ones before
    std::uint64_t const one = 1;
    LULL_INVARIANT(::write(wake_.get(), &one, sizeof one) == sizeof one);
}

void EventLoop::at_turn_end(Task task) { turn_end_.push_back(std::move(task)); }

void EventLoop::on_signal(std::vector<int> signals, std::function<void(int)> handler) {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : signals) sigaddset(&set, signal);
    LULL_INVARIANT(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
    signal_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    LULL_INVARIANT(signal_.valid());
    watch(signal_.get(), POLLIN, [this, handler = std::move(handler)] {
        signalfd_siginfo info{};
        while (::read(signal_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
            handler(static_cast<int>(info.ssi_signo));
        }
    });
}

void EventLoop::run() {
    stopped_ = false;
    while (!stopped_) {
        bool busy = run_ready_sockets();
        busy |= run_posted();
        busy |= run_due_timers();
        busy |= run_turn_end();
        bury_dead();
        if (!stopped_) wait(busy);
    }
}

// ZMQ_FD is edge-triggered: ZMQ_EVENTS must be asked before every wait, and a ready socket means that we must not wait.
bool EventLoop::run_ready_sockets() {
    bool any = false;
    for (std::size_t i = 0; i < sockets_.size(); ++i) {  // by index: handlers may add watches
        auto* entry = sockets_[i].get();
        if (entry->dead || !entry->socket->readable()) continue;
        any = true;
        entry->handler();
    }
    return any;
}

bool EventLoop::run_due_timers() {
    auto const current = now();
    bool any = false;
    while (!timers_.empty() && timers_.begin()->first <= current) {
        auto task = std::move(timers_.begin()->second.second);
        timers_.erase(timers_.begin());
        task();
        any = true;
    }
    return any;
}

bool EventLoop::run_posted() {
    {
        std::lock_guard const lock(posted_mutex_);
        std::ranges::move(std::exchange(posted_, {}), std::back_inserter(taken_));
    }
    bool const any = !taken_.empty();
    while (!taken_.empty()) {
        auto task = std::move(taken_.front());
        taken_.pop_front();
        task();
    }
    return any;
}

bool EventLoop::run_turn_end() {
    bool const any = !turn_end_.empty();
    while (!turn_end_.empty()) {
        auto task = std::move(turn_end_.front());
        turn_end_.pop_front();
        task();
    }
    return any;
}

void EventLoop::wait(bool already_busy) {
    std::vector<pollfd> polled;
    polled.reserve(1 + descriptors_.size() + sockets_.size());
    polled.push_back({wake_.get(), POLLIN, 0});
    for (auto const& entry : descriptors_) polled.push_back({entry->descriptor, entry->events, 0});
    for (auto const& entry : sockets_) polled.push_back({entry->descriptor, POLLIN, 0});

    // A turn that did something may have made sockets ready without a new edge: look again before waiting.
    timespec limit = to_timespec(Duration::zero());
    timespec* limit_pointer = &limit;
    if (!already_busy) {
        if (timers_.empty()) {
            limit_pointer = nullptr;
        } else {
            limit = to_timespec(std::max(Duration::zero(), timers_.begin()->first - now()));
        }
    }
    std::size_t const watched = descriptors_.size();
    int const ready = ppoll(polled.data(), polled.size(), limit_pointer, nullptr);
    if (ready <= 0) return;

    if (polled[0].revents != 0) {
        std::uint64_t count = 0;
        [[maybe_unused]] auto const taken = ::read(wake_.get(), &count, sizeof count);
    }
    for (std::size_t i = 0; i < watched; ++i) {
        if (polled[i + 1].revents != 0 && !descriptors_[i]->dead) descriptors_[i]->handler();
    }
}

void EventLoop::bury_dead() {
    if (!any_dead_) return;
    std::erase_if(sockets_, [](auto const& entry) { return entry->dead; });
    std::erase_if(descriptors_, [](auto const& entry) { return entry->dead; });
    any_dead_ = false;
}

}  // namespace lull
