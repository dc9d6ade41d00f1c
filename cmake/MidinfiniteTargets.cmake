# How every folder of the project becomes a target.
#
# A target sees its own headers and those of the targets it links, nothing else: each folder src/NAME gets an include
# root of its own, <build>/layers/NAME, that holds one link, NAME -> src/NAME. `#include "midi/smf_reader.h"` therefore
# builds only where midinf_midi is linked. tests/layering_test.sh shows that it does not build elsewhere.

add_library(midinf_flags INTERFACE)
if(MSVC)
  target_compile_options(midinf_flags INTERFACE /W4 $<$<BOOL:${MIDINF_WERROR}>:/WX>)
else()
  # -ffp-contract=off: the same arithmetic from every compiler; kernels that want FMA say so.
  # -fno-trapping-math: nobody asks for floating-point exceptions, and for their sake g++ does not vectorise choices.
  target_compile_options(midinf_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers
                         -ffp-contract=off -fno-trapping-math $<$<BOOL:${MIDINF_WERROR}>:-Werror>)
endif()
if(MIDINF_SANITIZE)
  target_compile_options(midinf_flags INTERFACE -fsanitize=${MIDINF_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(midinf_flags INTERFACE -fsanitize=${MIDINF_SANITIZE})
endif()

# midinf_library(NAME SOURCES … [DEPENDS layer …] [LIBRARIES target …])
function(midinf_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  set(root ${PROJECT_BINARY_DIR}/layers/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${name} COPY_ON_ERROR SYMBOLIC)
  add_library(midinf_${name} STATIC ${ARG_SOURCES})
  target_include_directories(midinf_${name} PUBLIC ${root})
  list(TRANSFORM ARG_DEPENDS PREPEND midinf_)
  target_link_libraries(midinf_${name} PUBLIC ${ARG_DEPENDS} ${ARG_LIBRARIES} PRIVATE midinf_flags)
  set_target_properties(midinf_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden
                        VISIBILITY_INLINES_HIDDEN ON)
endfunction()

# midinf_test(NAME SOURCES … [DEPENDS layer …] [LIBRARIES target …] [LABEL unit|golden|slow])
# One executable per call; its tests get the label (unit by default) and the path of tests/data.
function(midinf_test name)
  if(NOT MIDINF_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  list(TRANSFORM ARG_DEPENDS PREPEND midinf_)
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} ${ARG_LIBRARIES} midinf_flags GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE MIDINF_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data"
                             MIDINF_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  set(limit 600)
  set(environment "")
  if(MIDINF_SANITIZE)
    set(limit 1800)  # the golden music in float32 takes ten minutes on a slow machine
    set(environment ENVIRONMENT "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan-suppressions.txt")
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${name}."
    PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${limit} ${environment} DISCOVERY_TIMEOUT 60)
endfunction()
