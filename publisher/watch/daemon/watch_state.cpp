#include "publisher/watch/daemon/watch_state.hpp"

#include <unistd.h>

#include <array>
#include <sstream>

#include "core/json.hpp"

namespace lull::publisher::watch {

namespace {

constexpr Bytes most_state = MiB(64);
constexpr int format = 1;

Json to_json(LastRelease const& last) {
    return {{"version", last.version.text()},
            {"time", last.time.micros},
            {"contents", last.contents.hex()},
            {"fingerprint", last.fingerprint.hex()}};
}

Json to_json(SoftwareStatus const& status) {
    Json json = {{"software", status.software.text()}, {"waits_for", status.waits_for}, {"error", status.error}};
    if (status.last_look) json["last_look"] = status.last_look->micros;
    if (status.last) json["last"] = to_json(*status.last);
    return json;
}

// Takes values out of a file that may hold anything.
class Reader {
public:
    explicit Reader(Json const& json) : json_(json) {}

    std::string text(char const* key) {
        auto const* const value = find(key);
        return value != nullptr && value->is_string() ? value->get<std::string>() : (good_ = false, "");
    }
    std::int64_t number(char const* key) {
        auto const* const value = find(key);
        return value != nullptr && value->is_number_integer() ? value->get<std::int64_t>() : (good_ = false, 0);
    }
    template <class Name>
    Name name(char const* key) {
        auto parsed = Name::parse(text(key));
        return parsed ? std::move(*parsed) : (good_ = false, Name());
    }
    Digest digest(char const* key) {
        auto parsed = Digest::parse(text(key));
        return parsed ? *parsed : (good_ = false, Digest());
    }
    Json const* find(char const* key) const {
        if (!json_.is_object()) return nullptr;
        auto const found = json_.find(key);
        return found == json_.end() ? nullptr : &*found;
    }
    [[nodiscard]] bool good() const { return good_; }

private:
    Json const& json_;
    bool good_ = true;
};

std::optional<LastRelease> read_release(Json const& json) {
    Reader reader(json);
    LastRelease last{reader.name<VersionName>("version"), WallTime{reader.number("time")}, reader.digest("contents"),
                     reader.digest("fingerprint")};
    return reader.good() ? std::optional(std::move(last)) : std::nullopt;
}

std::optional<SoftwareStatus> read_status(Json const& json) {
    Reader reader(json);
    SoftwareStatus status;
    status.software = reader.name<SoftwareName>("software");
    status.waits_for = reader.text("waits_for");
    status.error = reader.text("error");
    if (reader.find("last_look") != nullptr) status.last_look = WallTime{reader.number("last_look")};
    if (auto const* const last = reader.find("last")) status.last = read_release(*last);
    return reader.good() ? std::optional(std::move(status)) : std::nullopt;
}

std::optional<WatchState> read_state(Json const& json) {
    Reader reader(json);
    WatchState state;
    state.directory = reader.text("directory");
    state.pid = static_cast<pid_t>(reader.number("pid"));
    state.started = reader.text("started");
    state.written = WallTime{reader.number("written")};
    state.kernel = reader.text("kernel");
    if (!reader.good() || reader.number("format") != format) return std::nullopt;
    auto const elements = [&reader](char const* key) {
        auto const* const found = reader.find(key);
        return found != nullptr && found->is_array() ? *found : Json::array();
    };
    for (auto const& row : elements("software")) {
        if (auto status = read_status(row)) state.software.push_back(std::move(*status));
    }
    for (auto const& text : elements("invalid")) {
        if (text.is_string()) state.invalid.push_back(text.get<std::string>());
    }
    for (auto const& row : elements("remembered")) {
        Reader name(row);
        auto const software = name.name<SoftwareName>("software");
        auto last = read_release(row);
        if (name.good() && last) state.remembered.emplace(software, std::move(*last));
    }
    return state;
}

}  // namespace

Result<WatchState> WatchState::load(fs::path const& file) {
    auto const bytes = read_file(file, most_state);
    if (!bytes) return pass(bytes.error());
    auto const json = Json::parse(as_text(*bytes), nullptr, false);
    auto state = json.is_discarded() ? std::nullopt : read_state(json);
    if (!state) return fail(Fault::damaged, "{} is no state of a watcher; remove it", file.string());
    return std::move(*state);
}

Status WatchState::save(fs::path const& file) const {
    Json json = {{"format", format},          {"directory", directory},      {"pid", pid},
                 {"started", started},        {"written", written.micros},   {"kernel", kernel},
                 {"software", Json::array()}, {"remembered", Json::array()}, {"invalid", invalid}};
    for (auto const& status : software) json["software"].push_back(to_json(status));
    for (auto const& [name, last] : remembered) {
        auto row = to_json(last);
        row["software"] = name.text();
        json["remembered"].push_back(std::move(row));
    }
    auto const text = json.dump(1, ' ', false, Json::error_handler_t::replace);
    return write_file_durably(file, as_view(text), 0600);
}

fs::path state_file(fs::path const& state, fs::path const& directory) {
    return state / fmt::format("watch-{}.json", sha256(as_view(directory.string())).hex().substr(0, 32));
}

fs::path lock_file(fs::path const& state, fs::path const& directory) {
    return state_file(state, directory).replace_extension(".lock");
}

// proc(5): field 22 of /proc/PID/stat. The second field is a name in brackets that may hold anything.
std::string start_of_process(pid_t pid) {
    std::array<char, 4096> block{};
    auto const file = open_file(fmt::format("/proc/{}/stat", pid), O_RDONLY);
    if (!file) return "";
    auto const size = ::read(file->get(), block.data(), block.size());
    std::string const text(block.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    auto const bracket = text.rfind(')');
    if (bracket == std::string::npos) return "";
    std::istringstream fields(text.substr(bracket + 1));
    std::string field;
    for (int i = 3; i <= 22 && fields >> field; ++i) {}
    return fields ? field : "";
}

}  // namespace lull::publisher::watch
