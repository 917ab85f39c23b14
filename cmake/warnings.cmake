# One interface target carries the flags of all our code; third-party headers come in as SYSTEM.
add_library(lull_flags INTERFACE)
target_compile_options(lull_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Werror)
# With the assertions of libstdc++ an absent value that is read, or an index out of range, ends the program.
target_compile_definitions(lull_flags INTERFACE _GLIBCXX_ASSERTIONS)
target_compile_definitions(lull_flags INTERFACE _FILE_OFFSET_BITS=64 MSGPACK_NO_BOOST LULL_VERSION="${PROJECT_VERSION}")
target_include_directories(lull_flags INTERFACE ${PROJECT_SOURCE_DIR})
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these falsely when it inlines std::string and std::vector at -O2.
  target_compile_options(lull_flags INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-maybe-uninitialized)
  # Lets ccache see which precompiled header a file uses.
  target_compile_options(lull_flags INTERFACE -fpch-preprocess)
endif()
if(LULL_SANITIZE)
  target_compile_options(lull_flags INTERFACE -fsanitize=${LULL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(lull_flags INTERFACE -fsanitize=${LULL_SANITIZE})
endif()
