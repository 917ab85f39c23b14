#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace lull::publisher {

// Where the members of one archive go: names as tar and zip accept them become paths within the release. Symbolic
// links of earlier members are followed within the archive, never on the disk.
class MemberPaths {
public:
    // "/usr//bin/./x/" -> "usr/bin/x"; "" for the top directory. `..` is left in place, for validate_path() to refuse.
    [[nodiscard]] static std::string plain(std::string_view name);

    // The place of a member: its directories without links (`bin/x` -> `usr/bin/x` where `bin` is a link to
    // `usr/bin`). Its last component is no link, because the member takes its place. Fault::refused if a link leads out
    // of the archive, or too many links follow one another.
    [[nodiscard]] Result<std::string> place(std::string const& path) const;

    // What has been unpacked at this place.
    void is_link(std::string const& place, std::string_view target);
    void is_no_link(std::string const& place);

private:
    std::map<std::string, std::string, std::less<>> links_;
};

}  // namespace lull::publisher
