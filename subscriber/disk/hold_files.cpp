#include "subscriber/disk/hold_files.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/json.hpp"
#include "core/text.hpp"

namespace lull::subscriber {

namespace {

constexpr Bytes largest_hold = KiB(16);
constexpr std::string_view name_of_all = "@all";  // no name of software

fs::path path_of(Layout const& layout, std::optional<SoftwareName> const& software) {
    return layout.holds() / (software ? software->text() : std::string(name_of_all));
}

Result<Hold> load_hold(fs::path const& path) {
    auto const bytes = read_file(path, largest_hold);
    if (!bytes) return pass(bytes.error());
    auto const json = Json::parse(as_text(*bytes), nullptr, false);
    auto const is_text = [&](char const* key) { return json.contains(key) && json[key].is_string(); };
    bool const whole = json.is_object() && json.contains("since") && json["since"].is_number_integer() &&
                       is_text("by") && is_text("why") &&
                       (!json.contains("until") || json["until"].is_number_integer());
    if (!whole) {
        return fail(Fault::damaged,
                    "{} is no hold; set it again with 'lull-node hold', or take it back with 'lull-node unhold'",
                    path.string());
    }
    Hold hold{WallTime{json["since"].get<std::int64_t>()}, std::nullopt, json["by"].get<std::string>(),
              json["why"].get<std::string>()};
    if (json.contains("until")) hold.until = WallTime{json["until"].get<std::int64_t>()};
    return hold;
}

}  // namespace

Status save_hold(Layout const& layout, std::optional<SoftwareName> const& software, Hold const& hold) {
    Json json{{"since", hold.since.micros}, {"by", hold.by}, {"why", hold.why}};
    if (hold.until) json["until"] = hold.until->micros;
    return write_file_durably(path_of(layout, software),
                              as_view(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"), 0600);
}

Result<bool> remove_hold(Layout const& layout, std::optional<SoftwareName> const& software) {
    auto const path = path_of(layout, software);
    if (unlink(path.c_str()) != 0) {
        if (errno == ENOENT) return false;
        return fail_errno("take back", path);
    }
    sync_directory_or_die(layout.holds());
    return true;
}

Result<Holds> load_holds(Layout const& layout) {
    auto const names = names_in(layout.holds());
    if (!names) return pass(names.error());
    Holds holds;
    for (auto const& name : *names) {
        if (name.starts_with('.')) continue;  // on its way
        auto hold = load_hold(layout.holds() / name);
        if (!hold && hold.error().fault == Fault::not_found) continue;  // taken back in this instant
        if (!hold) return pass(hold.error());
        if (name == name_of_all) {
            holds.all = std::move(*hold);
            continue;
        }
        auto const software = SoftwareName::parse(name);
        if (!software)
            return fail(Fault::damaged, "{} is no hold of ours; remove it", (layout.holds() / name).string());
        holds.by_software.emplace(*software, std::move(*hold));
    }
    return holds;
}

namespace {

// Each rename into the directory and each removal changes this.
std::int64_t changed_at(fs::path const& directory) {
    struct stat status {};
    if (stat(directory.c_str(), &status) != 0) return 0;
    return status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec;
}

}  // namespace

Result<std::unique_ptr<HoldWatch>> HoldWatch::open(EventLoop& loop, Layout const& layout,
                                                   std::function<void()> changed) {
    std::unique_ptr<HoldWatch> watch(new HoldWatch(loop, layout.holds(), std::move(changed)));
    if (auto status = watch->watch_by_kernel(); !status) {
        if (status.error().fault != Fault::no_space) return pass(status.error());
        watch->lacking_ = status.error().message;
        watch->look();
    }
    return watch;
}

HoldWatch::HoldWatch(EventLoop& loop, fs::path directory, std::function<void()> changed)
    : loop_(loop),
      directory_(std::move(directory)),
      changed_(std::move(changed)),
      seen_(changed_at(directory_)) {}

HoldWatch::~HoldWatch() {
    if (watch_) loop_.unwatch(*watch_);
    if (timer_) loop_.cancel(*timer_);
}

// Fault::no_space names the sysctl to raise.
Status HoldWatch::watch_by_kernel() {
    FileDescriptor notify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!notify.valid() && errno == EMFILE)
        return fail(Fault::no_space, "no inotify instance is left; raise the sysctl fs.inotify.max_user_instances");
    if (!notify.valid()) return fail_errno("watch", directory_);
    if (inotify_add_watch(notify.get(), directory_.c_str(), IN_MOVED_TO | IN_DELETE) < 0) {
        if (errno != ENOSPC) return fail_errno("watch", directory_);
        return fail(Fault::no_space, "no inotify watch is left; raise the sysctl fs.inotify.max_user_watches");
    }
    notify_ = std::move(notify);
    watch_ = loop_.watch(notify_.get(), POLLIN, [this] { drain(); });
    return {};
}

// What exactly has changed does not matter: all are read again.
void HoldWatch::drain() {
    std::array<char, 4096> block{};
    while (read(notify_.get(), block.data(), block.size()) > 0) {}
    changed_();
}

void HoldWatch::look() {
    timer_ = loop_.after(slow_look, [this] { look(); });
    auto const now = changed_at(directory_);
    if (std::exchange(seen_, now) != now) changed_();
}

}  // namespace lull::subscriber
