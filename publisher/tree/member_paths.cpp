#include "publisher/tree/member_paths.hpp"

#include <deque>
#include <vector>

namespace lull::publisher {

namespace {

constexpr int most_links = 40;  // as the kernel: path_resolution(7)

// The components of a path, without empty ones and `.`.
std::vector<std::string_view> components_of(std::string_view path) {
    std::vector<std::string_view> components;
    while (!path.empty()) {
        auto const end = std::min(path.find('/'), path.size());
        auto const component = path.substr(0, end);
        if (!component.empty() && component != ".") components.push_back(component);
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return components;
}

std::string joined(std::vector<std::string_view> const& components) {
    std::string path;
    for (auto const component : components) {
        if (!path.empty()) path += '/';
        path += component;
    }
    return path;
}

tl::unexpected<Error> leads_out(std::string_view link, std::string_view target) {
    return fail(Fault::refused, "it goes through the link {} -> {}, which leads out of the archive", link, target);
}

}  // namespace

std::string MemberPaths::plain(std::string_view name) { return joined(components_of(name)); }

Result<std::string> MemberPaths::place(std::string const& path) const {
    auto const given = components_of(path);
    std::deque<std::string_view> rest(given.begin(), given.end());
    std::vector<std::string_view> place;
    int links = 0;
    while (!rest.empty()) {
        auto const component = rest.front();
        rest.pop_front();
        if (component == "..") {  // of a link: names with `..` are refused before
            place.pop_back();
            continue;
        }
        place.push_back(component);
        if (rest.empty()) break;
        auto const link = links_.find(joined(place));
        if (link == links_.end()) continue;
        auto const& target = link->second;
        if (++links > most_links) return fail(Fault::refused, "it goes through more than {} links", most_links);
        place.pop_back();
        auto depth = place.size();
        auto const further = components_of(target);
        for (auto const step : further) {
            if (step == ".." && depth == 0) return leads_out(link->first, target);
            depth = step == ".." ? depth - 1 : depth + 1;
        }
        if (target.starts_with('/')) return leads_out(link->first, target);
        rest.insert(rest.begin(), further.begin(), further.end());
    }
    return joined(place);
}

void MemberPaths::is_link(std::string const& place, std::string_view target) { links_[place] = target; }

void MemberPaths::is_no_link(std::string const& place) { links_.erase(place); }

}  // namespace lull::publisher
