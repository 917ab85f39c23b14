#pragma once

#include <set>
#include <string>

namespace lull::subscriber {

// By what a process was seen to use a version. The first ones last as long as the process usually does; mappings and
// open files come and go.
enum class UsageKind { lock, program, working_directory, root, argument, mapping, open_file };

using UsageKinds = std::set<UsageKind>;

// "lock, program". Mappings and open files are named only where nothing else is, so that the text stays the same while
// a program works with its files.
[[nodiscard]] std::string to_text(UsageKinds const& signs);

// Whether the use ends with the process. A shell goes to another directory, a reader closes its file: nothing tells of
// that.
[[nodiscard]] bool lasts_as_long_as_its_process(UsageKinds const& signs);

}  // namespace lull::subscriber
