#include "subscriber/sandbox/system_paths.hpp"

namespace lull::subscriber {

namespace {

constexpr char const* beside_usr[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
// Programs of Debian lead through /etc/alternatives.
constexpr char const* settings[] = {"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives"};
constexpr char const* settings_of_names[] = {"/etc/resolv.conf", "/etc/hosts",          "/etc/nsswitch.conf",
                                             "/etc/gai.conf",    "/etc/services",       "/etc/protocols",
                                             "/etc/ssl/certs",   "/etc/ssl/openssl.cnf"};

// What a link leads to may lie elsewhere (/run/systemd/resolve): the file is bound under the name of the link.
void add(SystemPaths& paths, char const* name) {
    std::error_code problem;
    auto const kind = fs::status(name, problem).type();
    if (kind == fs::file_type::directory) paths.directories.emplace_back(name);
    if (kind == fs::file_type::regular) paths.files.emplace_back(name);
}

}  // namespace

SystemPaths find_system_paths(NameLookup names) {
    SystemPaths paths;
    paths.directories.emplace_back("/usr");
    for (auto const* name : beside_usr) {
        std::error_code problem;
        auto const target = fs::read_symlink(name, problem);
        if (!problem) {
            paths.links.push_back({name, target.string()});
        } else {
            add(paths, name);
        }
    }
    for (auto const* name : settings) add(paths, name);
    if (names == NameLookup::none) return paths;
    for (auto const* name : settings_of_names) add(paths, name);
    return paths;
}

}  // namespace lull::subscriber
