#include "subscriber/disk/link_state.hpp"

#include "core/json.hpp"

namespace lull::subscriber {

namespace {

fs::path path_of(Layout const& layout) { return layout.secret() / "link.json"; }

}  // namespace

void save_link_state(Layout const& layout, LinkState const& state) {
    Json const json{
        {"connected", state.connected}, {"since", state.since.micros}, {"detail", state.detail}, {"flow", state.flow}};
    auto const text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    auto const path = path_of(layout);
    auto const fresh = fs::path(path).concat(".new");
    auto file = open_file(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    if (!file || !write_exactly(file->get(), 0, as_view(text), fresh)) return;
    std::error_code ignored;
    fs::rename(fresh, path, ignored);
}

std::optional<LinkState> load_link_state(Layout const& layout) {
    auto const bytes = read_file(path_of(layout), KiB(64));
    if (!bytes) return std::nullopt;
    auto const json = Json::parse(as_text(*bytes), nullptr, false);
    if (!json.is_object()) return std::nullopt;
    bool const whole = json.contains("connected") && json["connected"].is_boolean() && json.contains("since") &&
                       json["since"].is_number_integer() && json.contains("detail") && json["detail"].is_string();
    if (!whole) return std::nullopt;
    auto const flow = json.contains("flow") && json["flow"].is_string() ? json["flow"].get<std::string>()
                                                                        : std::string();
    return LinkState{json["connected"].get<bool>(), WallTime{json["since"].get<std::int64_t>()},
                     json["detail"].get<std::string>(), flow};
}

}  // namespace lull::subscriber
