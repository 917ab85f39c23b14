#pragma once

#include <string>
#include <string_view>

namespace lull::publisher {

// The name of a zip member as UTF-8: as it is where it is UTF-8, else read as code page 437, which is what the format
// prescribes for names without the UTF-8 flag (APPNOTE.TXT, appendix D).
[[nodiscard]] std::string utf8_name_of_zip(std::string_view name);

}  // namespace lull::publisher
