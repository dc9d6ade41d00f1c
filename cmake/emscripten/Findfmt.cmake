include(${CMAKE_CURRENT_LIST_DIR}/HeaderOnly.cmake)
midinf_header_only(fmt fmt::headers fmt)
midinf_header_only(tl-expected tl::expected tl)
add_library(midinf_fmt STATIC ${CMAKE_CURRENT_LIST_DIR}/fmt.cc)
target_link_libraries(midinf_fmt PUBLIC fmt::headers)
add_library(fmt::fmt-header-only INTERFACE IMPORTED GLOBAL) # by the name that src/base asks for
target_link_libraries(fmt::fmt-header-only INTERFACE midinf_fmt tl::expected) # src/base finds the latter in the compiler's paths elsewhere
set(fmt_FOUND TRUE)
