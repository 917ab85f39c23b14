#pragma once

#include "core/files.hpp"

namespace lull::subscriber {

// Lets the owner of an open directory change what is in it while this object lives, where its mode does not. (root
// needs nothing.) After a crash in between the next scan finds the mode.
class WritableDirectory {
public:
    explicit WritableDirectory(int directory);
    ~WritableDirectory();
    WritableDirectory(WritableDirectory const&) = delete;
    WritableDirectory& operator=(WritableDirectory const&) = delete;

private:
    int directory_;
    mode_t before_ = 0;  // 0: it was not changed
};

}  // namespace lull::subscriber
