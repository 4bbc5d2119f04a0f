# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Compiles faster what no figure comes from: argument parser, chat templates, JSON schemas, routes of the server, images
# and sound. Such files are compiled together, so that what they all include is read once, and are optimised less: images
# and sound, of which a text needs nothing, not at all. ggml and llama, the tools themselves and whatever runs once a token
# are compiled as ever, but for the HTTP library, which is one file that takes longer than any other, and sends in a thread
# of its own (docs/decisions/0015-what-is-not-measured-compiles-quickly.md).
#
# Included by programs.cmake. -DCLOUDBENCH_QUICK_COMMON=OFF leaves everything as llama.cpp has it.
option(CLOUDBENCH_QUICK_COMMON "Compile faster what is not measured" ON)

# target|optimisation|pattern of file names|... for each group: nothing but these is touched. The order within a group is
# that of the patterns. A llama.cpp without such a target or file has nothing of it. Of a template's code that a file here
# shares with one that runs once a token, the linker may take the copy from here: so the server's files have -O2.
set(CLOUDBENCH_QUICK_GROUPS
  "llama-common|-O1|parsers/.*"
  "llama-common|-O1|jinja/value|jinja/.*"
  "llama-common|-O1|chat|chat-.*|peg-parser|json-schema|json-schema-to-grammar"
  "llama-common|-O1|arg|preset|download|hf-cache|console|debug|fit|imatrix-loader|llguidance|subproc"
  "common|-O1|arg|console|json-schema-to-grammar|train"
  "mtmd|-O0|models/.*"
  "mtmd|-O0|clip|mtmd|mtmd-audio|mtmd-image"
  "mtmd|-O0|mtmd-helper|mtmd-helper-gen"
  "server-context|-O2|server-chat|server-mcp|server-schema|server-tools"
  "llama-server-impl|-O2|server|server-models"
  "cpp-httplib|-O1|httplib")

# Replaces the sources of `target` that match the patterns after `optimisation` by one file of ours that includes them.
function(cloudbench_quick_group target number optimisation)
  get_target_property(sources ${target} SOURCES)
  get_target_property(directory ${target} SOURCE_DIR)
  set(together "")
  set(quick "${CMAKE_BINARY_DIR}/cloudbench/${target}-${number}.cpp")
  set(text "")
  foreach(pattern IN LISTS ARGN)
    foreach(source IN LISTS sources)
      get_filename_component(path "${source}" ABSOLUTE BASE_DIR "${directory}")
      file(RELATIVE_PATH name "${directory}" "${path}")
      if(name MATCHES "^${pattern}\\.cpp$" AND NOT source IN_LIST together)
        list(APPEND together "${source}")
        # Relative from the place of our file: ccache then knows the same build elsewhere.
        file(RELATIVE_PATH path "${CMAKE_BINARY_DIR}/cloudbench" "${path}")
        string(APPEND text "#include \"${path}\"\n")
      endif()
    endforeach()
  endforeach()
  if(NOT together)
    return()
  endif()
  file(CONFIGURE OUTPUT "${quick}" CONTENT "${text}" @ONLY)
  list(REMOVE_ITEM sources ${together})
  set_property(TARGET ${target} PROPERTY SOURCES ${sources} "${quick}")
  # The warnings of llama.cpp's files are nobody's concern here, and come in thousands when optimisation is off.
  set_source_files_properties(
    "${quick}" TARGET_DIRECTORY ${target} PROPERTIES COMPILE_OPTIONS "${optimisation};-w")
endfunction()

# Of a template's code that several files have, the linker takes what it meets first. It meets ggml and llama first, so
# that none of their code comes out of a file that was compiled without optimisation.
function(cloudbench_kernels_first)
  set(archives "")
  foreach(target llama ggml ggml-cpu ggml-base)
    if(TARGET ${target})
      get_target_property(type ${target} TYPE)
      if(type STREQUAL "STATIC_LIBRARY")
        string(APPEND archives " $<TARGET_FILE:${target}>")
      endif()
    endif()
  endforeach()
  foreach(target llama-common common)
    if(TARGET ${target})
      target_link_options(
        ${target} INTERFACE "SHELL:-Wl,--whole-archive${archives} -Wl,--no-whole-archive")
    endif()
  endforeach()
endfunction()

function(cloudbench_quick)
  # Shared libraries and link-time optimisation choose by other rules among equal code: such builds stay as they are.
  if(NOT CLOUDBENCH_QUICK_COMMON OR BUILD_SHARED_LIBS OR GGML_LTO OR CMAKE_INTERPROCEDURAL_OPTIMIZATION
     OR "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-flto" OR NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang" OR APPLE)
    return()
  endif()
  set(number 0)
  foreach(group IN LISTS CLOUDBENCH_QUICK_GROUPS)
    string(REPLACE "|" ";" group "${group}")
    list(POP_FRONT group target)
    math(EXPR number "${number} + 1")
    if(TARGET ${target})
      cloudbench_quick_group(${target} ${number} ${group})
    endif()
  endforeach()
  cloudbench_kernels_first()
endfunction()
