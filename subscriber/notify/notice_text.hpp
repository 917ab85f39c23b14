#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/files.hpp"
#include "schema/messages.hpp"

namespace lull::subscriber {

// What a holder is told.
struct Notice {
    SoftwareName software;
    VersionName running;  // the version that it holds
    VersionName ready;    // the one that waits for it
};

// The words of a notice, with places for {software}, {ready}, {running}, {command}, {pid}, {user} and {since}; "{{" is
// a brace. The usual ones say what waits for whom, and what to do.
class NoticeText {
public:
    NoticeText();
    // An operator's own: UTF-8 of at most 2 KiB and 10 lines. Fault::usage with what is wrong and what it should look
    // like.
    [[nodiscard]] static Result<NoticeText> parse(std::string_view text);
    // The same from a file.
    [[nodiscard]] static Result<NoticeText> load(fs::path const& path);

    // Each line on a line of its own, CR LF, printable ASCII only: whatever software and users are called, it steers no
    // terminal.
    [[nodiscard]] std::string for_terminal(Notice const& notice, Holder const& holder) const;
    // In one line, printable ASCII only.
    [[nodiscard]] std::string for_log(Notice const& notice, Holder const& holder) const;

private:
    struct Empty {};
    explicit NoticeText(Empty) {}

    enum class Field { software, ready, running, command, pid, user, since };
    using Part = std::variant<std::string, Field>;
    [[nodiscard]] static Result<Field> field_of(std::string_view name);
    [[nodiscard]] static std::string value_of(Field field, Notice const& notice, Holder const& holder);
    [[nodiscard]] std::vector<std::string> lines(Notice const& notice, Holder const& holder) const;

    std::vector<Part> parts_;  // no text of a part is looked through again once values are in it
};

}  // namespace lull::subscriber
