#include "subscriber/holds.hpp"

#include <poll.h>
#include <sys/inotify.h>
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

bool counts(Hold const& hold, WallTime now) { return !hold.until || now < *hold.until; }

Result<Hold> load_hold(fs::path const& path) {
    auto const bytes = read_file(path, largest_hold);
    if (!bytes) return pass(bytes.error());
    auto const json = Json::parse(as_text(*bytes), nullptr, false);
    auto const is_text = [&](char const* key) { return json.contains(key) && json[key].is_string(); };
    bool const whole = json.is_object() && json.contains("since") && json["since"].is_number_integer() && is_text("by") && is_text("why") &&
                       (!json.contains("until") || json["until"].is_number_integer());
    if (!whole) {
        return fail(Fault::damaged, "{} is no hold; set it again with 'lull-node hold', or take it back with 'lull-node unhold'", path.string());
    }
    Hold hold{WallTime{json["since"].get<std::int64_t>()}, std::nullopt, json["by"].get<std::string>(), json["why"].get<std::string>()};
    if (json.contains("until")) hold.until = WallTime{json["until"].get<std::int64_t>()};
    return hold;
}

}  // namespace

Hold const* Holds::find(SoftwareName const& software, WallTime now) const {
    auto const one = by_software.find(software);
    if (one != by_software.end() && counts(one->second, now)) return &one->second;
    return all && counts(*all, now) ? &*all : nullptr;
}

Status save_hold(Layout const& layout, std::optional<SoftwareName> const& software, Hold const& hold) {
    Json json{{"since", hold.since.micros}, {"by", hold.by}, {"why", hold.why}};
    if (hold.until) json["until"] = hold.until->micros;
    return write_file_durably(path_of(layout, software), as_view(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"), 0600);
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
        if (!software) return fail(Fault::damaged, "{} is no hold of ours; remove it", (layout.holds() / name).string());
        holds.by_software.emplace(*software, std::move(*hold));
    }
    return holds;
}

Result<std::unique_ptr<HoldWatch>> HoldWatch::open(EventLoop& loop, Layout const& layout, std::function<void()> changed) {
    FileDescriptor notify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!notify.valid()) return fail_errno("watch", layout.holds());
    auto const directory = layout.holds();
    if (inotify_add_watch(notify.get(), directory.c_str(), IN_MOVED_TO | IN_DELETE) < 0) return fail_errno("watch", directory);
    return std::unique_ptr<HoldWatch>(new HoldWatch(loop, std::move(notify), std::move(changed)));
}

HoldWatch::HoldWatch(EventLoop& loop, FileDescriptor notify, std::function<void()> changed)
    : loop_(loop), notify_(std::move(notify)), changed_(std::move(changed)), watch_(loop.watch(notify_.get(), POLLIN, [this] { drain(); })) {}

HoldWatch::~HoldWatch() { loop_.unwatch(watch_); }

// What exactly has changed does not matter: all are read again.
void HoldWatch::drain() {
    std::array<char, 4096> block{};
    while (read(notify_.get(), block.data(), block.size()) > 0) {
    }
    changed_();
}

}  // namespace lull::subscriber
