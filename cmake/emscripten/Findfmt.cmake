include(${CMAKE_CURRENT_LIST_DIR}/HeaderOnly.cmake)
midinf_header_only(fmt fmt::fmt-header-only fmt)
target_compile_definitions(fmt::fmt-header-only INTERFACE FMT_HEADER_ONLY=1)
midinf_header_only(tl-expected tl::expected tl)
target_link_libraries(fmt::fmt-header-only INTERFACE tl::expected) # src/base finds it in the compiler's paths elsewhere
set(fmt_FOUND TRUE)
