#include "subscriber/notify/notice_text.hpp"

#include <algorithm>
#include <array>

#include "core/text.hpp"
#include "subscriber/proc/process_stat.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t most_bytes = 2048;
constexpr std::ptrdiff_t most_lines = 10;
constexpr std::size_t most_value = 128;  // versions and names are shorter; commands and users may be anything

constexpr std::string_view usual_text =
    "lull: {software} {ready} is ready, but {command} (process {pid}, user {user}) still runs version {running}, since "
    "{since}.\n"
    "lull: The new version becomes active as soon as {command} has ended; please end it when it suits you.\n";

constexpr std::array<std::string_view, 7> field_names = {"software", "ready", "running", "command",
                                                         "pid",      "user",  "since"};

Status check_bounds(std::string_view text) {
    auto const trimmed = text.substr(0, text.find_last_not_of(" \r\n") + 1);
    if (trimmed.empty()) {
        return fail(Fault::usage,
                    "the text of a notice is empty; write what a user is to read, with {{software}} and {{ready}}");
    }
    if (text.size() > most_bytes)
        return fail(Fault::usage, "the text of a notice has {} bytes, more than {}", text.size(), most_bytes);
    if (std::count(trimmed.begin(), trimmed.end(), '\n') >= most_lines) {
        return fail(Fault::usage, "the text of a notice has more than {} lines", most_lines);
    }
    if (!is_utf8(text)) return fail(Fault::usage, "the text of a notice is not UTF-8");
    return {};
}

}  // namespace

NoticeText::NoticeText() {
    auto usual = parse(usual_text);
    LULL_INVARIANT(usual.has_value());
    *this = *std::move(usual);
}

Result<NoticeText::Field> NoticeText::field_of(std::string_view name) {
    auto const found = std::find(field_names.begin(), field_names.end(), name);
    if (found != field_names.end()) return static_cast<Field>(found - field_names.begin());
    return fail(Fault::usage,
                "the text of a notice holds {{{}}}; what can be filled in is {{{}}}, and a brace is written {{{{",
                printable(name.substr(0, most_value)), fmt::join(field_names, "}, {"));
}

Result<NoticeText> NoticeText::parse(std::string_view text) {
    if (auto status = check_bounds(text); !status) return pass(status.error());
    std::vector<Part> parts;
    while (!text.empty()) {
        auto const brace = std::min(text.find('{'), text.size());
        parts.emplace_back(std::string(text.substr(0, brace)));
        text.remove_prefix(brace);
        if (text.empty()) break;
        if (text.starts_with("{{")) {
            parts.emplace_back(std::string("{"));
            text.remove_prefix(2);
            continue;
        }
        auto const end = text.find('}');
        auto const field = field_of(end == std::string_view::npos ? text : text.substr(1, end - 1));
        if (!field) return pass(field.error());
        parts.emplace_back(*field);
        text.remove_prefix(end + 1);
    }
    NoticeText made{Empty{}};
    made.parts_ = std::move(parts);
    return made;
}

Result<NoticeText> NoticeText::load(fs::path const& path) {
    auto const bytes = read_file(path, KiB(64));
    if (!bytes) return pass(bytes.error());
    auto made = parse(as_text(*bytes));
    if (!made) return fail(made.error().fault, "{}: {}", path.string(), made.error().message);
    return made;
}

std::string NoticeText::value_of(Field field, Notice const& notice, Holder const& holder) {
    switch (field) {
        case Field::software: return notice.software.text();
        case Field::ready: return notice.ready.text();
        case Field::running: return notice.running.text();
        case Field::command: return printable(holder.command.substr(0, most_value));
        case Field::pid: return std::to_string(holder.pid);
        case Field::user: return printable(holder.user.substr(0, most_value));
        case Field::since: break;
    }
    return to_text(holder.since);
}

std::vector<std::string> NoticeText::lines(Notice const& notice, Holder const& holder) const {
    std::string text;
    for (auto const& part : parts_) {
        auto const* const field = std::get_if<Field>(&part);
        text += field != nullptr ? value_of(*field, notice, holder) : std::get<std::string>(part);
    }
    text.erase(text.find_last_not_of(" \r\n") + 1);
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin <= text.size();) {
        auto const end = std::min(text.find('\n', begin), text.size());
        auto line = text.substr(begin, end - begin);
        if (line.ends_with('\r')) line.pop_back();
        lines.push_back(printable(line));
        begin = end + 1;
    }
    return lines;
}

std::string NoticeText::for_terminal(Notice const& notice, Holder const& holder) const {
    return fmt::format("\r\n{}\r\n", fmt::join(lines(notice, holder), "\r\n"));
}

std::string NoticeText::for_log(Notice const& notice, Holder const& holder) const {
    return fmt::format("{}", fmt::join(lines(notice, holder), " "));
}

}  // namespace lull::subscriber
