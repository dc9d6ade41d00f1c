# The library as programs outside use it: one shared and one static file, each whole in itself, under the names
# midinfinite::midinfinite and midinfinite::midinfinite_static, from an installed package or add_subdirectory alike.
# With BUILD_SHARED_LIBS=OFF there is only the static one, under both names.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(layers base midi tokens sampling kernels anticipation model stream c_api)
list(TRANSFORM layers REPLACE ".+" "$<TARGET_OBJECTS:midinf_\\0>" OUTPUT_VARIABLE objects)

# midinf_package_library(TARGET NAME SOURCE …): what every form of the library has in common.
function(midinf_package_library target name)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME midinfinite EXPORT_NAME ${name} LINKER_LANGUAGE CXX)
  target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                 $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  add_library(midinfinite::${name} ALIAS ${target})
endfunction()

add_library(midinfinite_static STATIC ${objects})
midinf_package_library(midinfinite_static midinfinite_static)
target_link_libraries(midinfinite_static PRIVATE Threads::Threads)
target_compile_definitions(midinfinite_static INTERFACE MIDINF_STATIC)
set(libraries midinfinite_static)

if(NOT DEFINED BUILD_SHARED_LIBS OR BUILD_SHARED_LIBS)
  add_library(midinfinite_shared SHARED $<TARGET_OBJECTS:midinf_c_api>)
  midinf_package_library(midinfinite_shared midinfinite)
  target_link_libraries(midinfinite_shared PRIVATE midinf_stream midinf_midi midinf_flags)
  set_target_properties(midinfinite_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  if(UNIX AND NOT APPLE)
    set(exports ${PROJECT_SOURCE_DIR}/cmake/exports.map)
    target_link_options(midinfinite_shared PRIVATE LINKER:--version-script=${exports})
    set_target_properties(midinfinite_shared PROPERTIES LINK_DEPENDS ${exports})
  endif()
  list(APPEND libraries midinfinite_shared)
else()
  add_library(midinfinite::midinfinite ALIAS midinfinite_static)
endif()

if(NOT MIDINF_INSTALL)
  return()
endif()
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/midinfinite)
install(TARGETS ${libraries} EXPORT midinfinite LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/midinfinite DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES ${PROJECT_SOURCE_DIR}/models/mini-q8_0.gguf DESTINATION ${CMAKE_INSTALL_DATADIR}/midinfinite)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT midinfinite NAMESPACE midinfinite:: DESTINATION ${package} FILE midinfinite-targets.cmake)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/midinfinite-config.cmake.in midinfinite-config.cmake
                              INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_DATADIR)
write_basic_package_version_file(midinfinite-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/midinfinite-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/midinfinite-config-version.cmake DESTINATION ${package})

# From lib/pkgconfig back to the prefix, wherever that is moved.
file(RELATIVE_PATH up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/midinfinite.pc.in midinfinite.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/midinfinite.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
