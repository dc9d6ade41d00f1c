# The header-only libraries that the engine needs, for Emscripten: the system's own, each in a folder of its own, since
# with /usr/include on its path the compiler would read another C library's headers.
function(midinf_header_only package target folder)
  find_path(${package}_PARENT ${folder} PATHS /usr/include /usr/local/include /opt/homebrew/include REQUIRED
            NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
  set(root ${CMAKE_BINARY_DIR}/headers/${folder})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${${package}_PARENT}/${folder} ${root}/${folder} SYMBOLIC)
  if(NOT TARGET ${target})
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} SYSTEM INTERFACE ${root})
  endif()
endfunction()
