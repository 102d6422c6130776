# The one table of layers: which folder may include which. It makes the library targets (mailzone_layer) and
# feeds tests/layers, which reads every #include "..." and fails on an edge that does not stand here.
#
#   folder           may include (besides itself)
set(MAILZONE_LAYERS
  "core:"
  "mailauth:core"
  "zonegen:core mailauth"
  "system:core"
  "tenantdb:core system"
  "tenantdb/secret:core system tenantdb"
  "backend:core system mailauth zonegen tenantdb"
  "rotation:core system mailauth tenantdb tenantdb/secret"
  "harness:core system mailauth"
  "cli:core system mailauth zonegen tenantdb tenantdb/secret rotation"
)

function(mailzone_layer_edges folder result)
  foreach(row IN LISTS MAILZONE_LAYERS)
    if(row MATCHES "^([^:]+):(.*)$" AND CMAKE_MATCH_1 STREQUAL folder)
      string(REPLACE " " ";" edges "${CMAKE_MATCH_2}")
      set(${result} "${edges}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "cmake/layers.cmake has no row for ${folder}")
endfunction()

# The library of one folder: mailzone_layer(FOLDER SOURCES a.cc ... [LIBRARIES external ...])
# Target mailzone_FOLDER ("/" becomes "_"); linked to the layers of its row and to nothing else of ours.
function(mailzone_layer folder)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  string(REPLACE "/" "_" target "mailzone_${folder}")
  add_library(${target} STATIC ${arg_SOURCES})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
  mailzone_layer_edges(${folder} edges)
  foreach(edge IN LISTS edges)
    string(REPLACE "/" "_" dependency "mailzone_${edge}")
    target_link_libraries(${target} PUBLIC ${dependency})
  endforeach()
  target_link_libraries(${target} PUBLIC mailzone_options ${arg_LIBRARIES})
endfunction()

# A program of one folder, in build/PRESET/bin/.
function(mailzone_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE mailzone_options ${arg_LIBRARIES})
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()

# A GoogleTest program: mailzone_test(NAME SOURCES ... LIBRARIES ... [LABELS unit|contract|integration])
# Every TEST becomes a ctest entry of its own.
function(mailzone_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES;LABELS" ${ARGN})
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE mailzone_options ${arg_LIBRARIES} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE MAILZONE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                             MAILZONE_BINARY_DIR="${PROJECT_BINARY_DIR}")
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 300)
endfunction()
