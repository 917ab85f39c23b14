#include "subscriber/disk/membership.hpp"

namespace lull::subscriber {

Result<JoinBundle> own_bundle(Layout const& layout) {
    auto bundle = JoinBundle::load(layout.join_bundle());
    if (bundle || bundle.error().fault != Fault::not_found) return bundle;
    auto const root = layout.root().string();
    return fail(Fault::failed, "{} is no node yet; run: lull-node join BUNDLE --root {}", root, root);
}

}  // namespace lull::subscriber
