#include "publisher/watch/daemon/watcher.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "core/event_loop.hpp"
#include "core/text.hpp"
#include "core/workers.hpp"
#include "publisher/watch/daemon/mount_table.hpp"
#include "publisher/watch/daemon/watch_state.hpp"
#include "publisher/watch/daemon/watched_directories.hpp"
#include "publisher/watch/watch_list.hpp"

namespace lull::publisher::watch {

namespace {

constexpr unsigned looking_threads = 2;
constexpr unsigned publishing_threads = 2;
constexpr Duration between_saves = std::chrono::seconds(1);
constexpr std::size_t most_mountinfo = 8 * 1024 * 1024;

// Files of /proc have no size.
std::string read_from_start(int fd, std::size_t most) {
    std::string text;
    std::array<char, 16 * 1024> block{};
    while (text.size() < most) {
        auto const size = pread(fd, block.data(), block.size(), static_cast<off_t>(text.size()));
        if (size <= 0) break;
        text.append(block.data(), static_cast<std::size_t>(size));
    }
    return text;
}

void write_line(Log& log, action::Report const& report) {
    switch (report.level) {
        case LogLevel::debug: return log.debug("{}", report.text);
        case LogLevel::info: return log.info("{}", report.text);
        case LogLevel::warn: return log.warn("{}", report.text);
        case LogLevel::error: return log.error("{}", report.text);
    }
}

// Performs the actions of a WatchList: looks and publications on workers, the kernel's reports, the state file.
class Watcher {
public:
    Watcher(WatchRequest const& request, Publisher const& publisher, Log& log,
            std::map<SoftwareName, LastRelease> remembered)
        : request_(request),
          publisher_{publisher.broker, publisher.key, publisher.cache},
          log_(log),
          list_({request.times, request.only, publishing_threads}, std::move(remembered), loop_.now()) {
        publisher_.broker.stop = stop_.get_token();
        loop_.on_signal({SIGINT, SIGTERM}, [this](int) { end(); });
    }

    void run() {
        lookers_.emplace(loop_, looking_threads, Workers::Priority::low);
        publishers_.emplace(loop_, publishing_threads);
        writer_.emplace(loop_, 1);
        watch_kernel();
        watch_mounts();
        happened(event::Tick{});
        loop_.run();
        publishers_.reset();
        lookers_.reset();
        writer_.reset();
        complain(state().save(state_file(request_.state, request_.directory)));
        log_.info("ends");
    }

private:
    void end() {
        stop_.request_stop();
        loop_.stop();
    }

    fs::path place(SoftwareName const& software) const {
        return request_.only ? request_.directory : request_.directory / software.text();
    }

    // ---- events and actions ----

    void happened(Event const& event) {
        for (auto const& action : list_.on(event, SystemClock().moment()))
            std::visit([this](auto const& concrete) { perform(concrete); }, action);
        arm();
        save_soon();
    }

    void arm() {
        auto const wake = list_.wake();
        if (wake == armed_) return;
        if (timer_ != 0) loop_.cancel(timer_);
        armed_ = wake;
        timer_ = wake == TimePoint::max() ? 0 : loop_.at(wake, [this] {
            timer_ = 0;
            armed_ = TimePoint::min();
            happened(event::Tick{});
        });
    }

    void perform(action::List const&) {
        struct Found {
            Result<event::Listed> listed;
            int watch = -1;
        };
        auto job = [directory = request_.directory, inotify = inotify()] {
            auto const watch = inotify == nullptr ? Result<int>(-1) : inotify->watch(directory);
            return Found{list_software(directory), watch.value_or(-1)};
        };
        lookers_->submit(std::move(job), [this](Found found) {
            top_watch_ = found.watch;
            if (found.listed) {
                happened(*found.listed);
            } else {
                happened(event::ListFailed{found.listed.error()});
            }
        });
    }

    void perform(action::Look const& look) {
        auto const* const kernel = unwatched_.contains(look.software) ? nullptr : inotify();
        auto job = [directory = place(look.software), kernel, stop = stop_.get_token()] {
            return look_at(directory, kernel, stop);
        };
        lookers_->submit(std::move(job), [this, look](Result<TreeFinding> finding) {
            // Watches of a directory that is gone meanwhile count for nothing: their events are skipped.
            if (finding && list_.expects(look.software, look.ticket)) note_directories(look.software, *finding);
            happened(event::Looked{look.software, look.ticket,
                                   finding ? Result<TreeLook>(finding->look) : pass(finding.error())});
        });
    }

    void perform(action::Publish const& order) {
        auto job = [this, order, directory = place(order.software)] { return release(order, directory, publisher_); };
        publishers_->submit(std::move(job), [this, order](Outcome outcome) {
            happened(event::Published{order.software, order.ticket, std::move(outcome)});
        });
    }

    void perform(action::Report const& report) { write_line(log_, report); }
    void perform(action::Forget const& forget) { unwatch(directories_.forget(forget.software)); }

    // ---- the kernel's reports ----

    [[nodiscard]] Inotify const* inotify() const { return inotify_ ? &*inotify_ : nullptr; }

    void watch_kernel() {
        kernel_ = "changes are found by the scan only (--no-inotify)";
        if (request_.kernel == KernelEvents::unused) return;
        auto opened = Inotify::open();
        if (!opened) return lack_kernel(opened.error());
        kernel_ = "the kernel reports changes";
        inotify_ = std::move(*opened);
        loop_.watch(inotify_->descriptor(), POLLIN, [this] { read_kernel(); });
    }

    // Once: the scan goes on without it.
    void lack_kernel(Error const& why) {
        if (lacks_kernel_) return;
        lacks_kernel_ = true;
        kernel_ = fmt::format("the scan every {} finds changes that the kernel does not report: {}",
                              to_text(request_.times.scan), why.message);
        log_.warn("{}", kernel_);
    }

    // A tree of which only a part is watched is as good as none: the scan finds its changes.
    void note_directories(SoftwareName const& software, TreeFinding& finding) {
        if (finding.unwatched) {
            lack_kernel(*finding.unwatched);
            unwatched_.insert(software);
            for (auto const& directory : finding.directories) inotify_->unwatch(directory.watch);
            return unwatch(directories_.forget(software));
        }
        unwatch(directories_.replace(software, std::move(finding.directories), std::move(finding.excludes)));
    }

    void unwatch(std::vector<int> const& watches) {
        for (auto const watch : watches) inotify_->unwatch(watch);
    }

    // Many events of one tree count as one.
    void read_kernel() {
        std::set<SoftwareName> changed;
        bool list = false;
        bool lost = false;
        for (auto const& event : inotify_->read()) {
            lost = lost || event.overflow;
            if (event.watch == top_watch_ && !request_.only) {
                list = list || event.entry || event.name.empty();
                if (auto const software = SoftwareName::parse(event.name)) changed.insert(*software);
            } else if (auto const software = directories_.changed_by(event)) {
                changed.insert(*software);
            }
            if (event.removed) directories_.removed(event.watch);
        }
        for (auto const& software : changed) happened(event::Changed{software});
        if (list) happened(event::DirectoryChanged{});
        if (lost) happened(event::Unsure{});
    }

    void watch_mounts() {
        auto opened = open_file("/proc/self/mountinfo", O_RDONLY);
        if (!opened) return log_.warn("{}; the scan finds mounted media", opened.error().message);
        mountinfo_ = std::move(*opened);
        mounts_ = mounts_below(read_from_start(mountinfo_.get(), most_mountinfo), request_.directory);
        loop_.watch(mountinfo_.get(), POLLPRI, [this] { read_mounts(); });
    }

    void read_mounts() {
        auto now = mounts_below(read_from_start(mountinfo_.get(), most_mountinfo), request_.directory);
        auto const changed = changed_mounts(mounts_, now);
        mounts_ = std::move(now);
        if (changed.empty()) return;
        if (request_.only || changed.contains("")) return happened(event::Unsure{});
        happened(event::DirectoryChanged{});
        for (auto const& entry : changed) {
            if (auto const software = SoftwareName::parse(entry)) happened(event::Unsure{*software});
        }
    }

    // ---- the state file ----

    WatchState state() const {
        return {request_.directory.string(),
                getpid(),
                started_,
                SystemClock().wall(),
                kernel_,
                list_.status(),
                list_.invalid(),
                list_.remembered()};
    }

    void save_soon() {
        if (saving_ || loop_.now() < next_save_) {
            if (!save_planned_)
                loop_.at(std::max(next_save_, loop_.now() + between_saves), [this] {
                    save_planned_ = false;
                    save_soon();
                });
            save_planned_ = true;
            return;
        }
        next_save_ = loop_.now() + between_saves;
        auto now = state();
        now.written = saved_.written;
        if (now == saved_) return;
        now.written = SystemClock().wall();
        saved_ = now;
        saving_ = true;
        writer_->submit([state = std::move(now),
                         file = state_file(request_.state, request_.directory)] { return state.save(file); },
                        [this](Status saved) {
                            saving_ = false;
                            complain(saved);
                        });
    }

    // Once for each reason.
    void complain(Status const& saved) {
        auto const text = saved ? "" : saved.error().message;
        if (!text.empty() && text != save_error_) log_.error("{}", text);
        save_error_ = text;
    }

    WatchRequest const& request_;
    Publisher publisher_;
    Log& log_;
    std::stop_source stop_;
    EventLoop loop_;
    WatchList list_;
    TimePoint armed_ = TimePoint::min();
    EventLoop::TimerId timer_ = 0;

    std::optional<Inotify> inotify_;
    WatchedDirectories directories_;
    std::set<SoftwareName> unwatched_;  // too large for the kernel's watches
    int top_watch_ = -1;
    bool lacks_kernel_ = false;
    std::string kernel_;
    FileDescriptor mountinfo_;
    Mounts mounts_;

    std::string started_ = start_of_process(getpid());
    WatchState saved_;  // what was written last
    TimePoint next_save_;
    bool saving_ = false;
    bool save_planned_ = false;
    std::string save_error_;

    std::optional<Workers> lookers_;
    std::optional<Workers> publishers_;
    std::optional<Workers> writer_;
};

}  // namespace

Result<event::Listed> list_software(fs::path const& directory) {
    event::Listed listed;
    std::error_code problem;
    fs::directory_iterator entry(directory, problem);
    for (fs::directory_iterator const end; !problem && entry != end; entry.increment(problem)) {
        auto const name = entry->path().filename().string();
        std::error_code ignored;
        if (name.starts_with('.') || name == "lost+found" || !entry->is_directory(ignored)) continue;
        auto software = SoftwareName::parse(name);
        // Who may write here could make the watcher publish what only the watcher may read.
        if (software && entry->is_symlink(ignored))
            software = fail(Fault::refused, "it is a symbolic link; mount or move the directory itself there");
        if (software) {
            listed.names.push_back(std::move(*software));
        } else if (listed.invalid.size() < WatchList::most_invalid) {
            listed.invalid.push_back(
                fmt::format("{} is not watched: {}", lull::quoted(entry->path().string()), software.error().message));
        }
    }
    if (problem) return fail(Fault::failed, "cannot list {}: {}", directory.string(), problem.message());
    return listed;
}

Status run_watcher(WatchRequest const& request, Publisher const& publisher, Log& log) {
    if (auto made = make_directories(request.state, 0700); !made) return made;
    auto const lock = lock_exclusively(lock_file(request.state, request.directory));
    if (!lock) {
        return fail(lock.error().fault, "cannot watch {}: {}", request.directory.string(), lock.error().message);
    }
    auto state = WatchState::load(state_file(request.state, request.directory));
    if (!state && state.error().fault != Fault::not_found)
        log.warn("{}; the broker is asked what is released", state.error().message);
    Watcher watcher(request, publisher, log,
                    state ? std::move(state->remembered) : std::map<SoftwareName, LastRelease>());
    log.info("watches {}{}: releases a tree that has not changed for {}; scans every {}", request.directory.string(),
             request.only ? " as " + request.only->text() : "", to_text(request.times.settle),
             to_text(request.times.scan));
    watcher.run();
    return {};
}

}  // namespace lull::publisher::watch
