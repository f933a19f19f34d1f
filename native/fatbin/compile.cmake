# Compiles one kernel file to a fatbin, keeps its PTX and ptxas's report beside it, and refuses kernels that spill
# registers, and products of warpgroups that ptxas puts one behind the other.
get_filename_component(name ${SOURCE} NAME_WE)
set(kept ${FATBIN}.kept)
file(MAKE_DIRECTORY ${kept})
execute_process(
  COMMAND
    ${NVCC} -fatbin -std=c++17 -O3 -Xptxas -v -Xfatbin -compress-all --threads 2 --keep --keep-dir ${kept} ${CODE} ${SOURCE}
    -o ${FATBIN}
  RESULT_VARIABLE result
  OUTPUT_VARIABLE report
  ERROR_VARIABLE report)
if(EXISTS ${kept}/${name}.ptx)
  file(RENAME ${kept}/${name}.ptx ${FATBIN}.ptx)
endif()
file(REMOVE_RECURSE ${kept})
if(NOT result EQUAL 0)
  file(REMOVE ${FATBIN})
  message(FATAL_ERROR "nvcc ${SOURCE}:\n${report}")
endif()
file(WRITE ${FATBIN}.resources "${report}")
if(report MATCHES "serialized")
  file(REMOVE ${FATBIN})
  message(FATAL_ERROR "nvcc ${SOURCE}: products of warpgroups wait for each other:\n${report}")
endif()
string(REGEX MATCHALL "Compiling entry function '[^']+' for '[^']+'[^']*bytes spill loads" entries "${report}")
foreach(entry ${entries})
  string(REGEX MATCH "'([^']+)' for '([^']+)'" ignored "${entry}")
  set(kernel "${CMAKE_MATCH_1} for ${CMAKE_MATCH_2}")
  string(REGEX MATCH "([0-9]+) bytes stack frame, ([0-9]+) bytes spill stores, ([0-9]+) bytes spill loads" ignored "${entry}")
  if(NOT CMAKE_MATCH_1 EQUAL 0 OR NOT CMAKE_MATCH_2 EQUAL 0 OR NOT CMAKE_MATCH_3 EQUAL 0)
    list(APPEND spilling "  ${kernel}: ${CMAKE_MATCH_0}")
  endif()
endforeach()
if(spilling)
  file(REMOVE ${FATBIN})
  string(REPLACE ";" "\n" lines "${spilling}")
  message(FATAL_ERROR "${SOURCE}: kernels must keep their numbers in registers, and these do not:\n${lines}")
endif()
