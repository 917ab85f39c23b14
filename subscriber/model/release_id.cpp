#include "subscriber/model/release_id.hpp"

#include <charconv>

namespace lull::subscriber {

std::string ReleaseId::directory_name() const { return fmt::format("{}-{}", seq.value, version.text()); }

Result<ReleaseId> ReleaseId::parse(SoftwareName const& software, std::string_view directory_name) {
    ReleaseId release{software, {}, {}};
    auto const end = directory_name.data() + directory_name.size();
    auto const [stop, problem] = std::from_chars(directory_name.data(), end, release.seq.value);
    auto const dash = static_cast<std::size_t>(stop - directory_name.data());
    if (problem == std::errc() && stop != end) {
        if (auto version = VersionName::parse(directory_name.substr(dash + 1))) release.version = *std::move(version);
    }
    // Whatever is not written as we write it (leading zeros, another separator) is not ours.
    if (release.version.unset() || release.seq == Seq{} || release.directory_name() != directory_name) {
        return fail(Fault::damaged, "'{}' is not the name of a version's directory, such as 12-1.4.2", directory_name);
    }
    return release;
}

}  // namespace lull::subscriber
