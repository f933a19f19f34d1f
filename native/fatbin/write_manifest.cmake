# kernels.json: the compiler, the targets, and each fatbin with its hash.
execute_process(COMMAND ${NVCC} --version OUTPUT_VARIABLE version)
string(REGEX MATCH "release [0-9.]+, V[0-9.]+" version "${version}")
set(files)
foreach(fatbin ${FATBINS})
  get_filename_component(name ${fatbin} NAME)
  file(SHA256 ${fatbin} hash)
  list(APPEND files "    {\"file\": \"${name}\", \"sha256\": \"${hash}\"}")
endforeach()
string(REPLACE ";" ",\n" files "${files}")
string(REPLACE ";" "\", \"" targets "${TARGETS}")
file(WRITE ${OUT}/kernels.json
  "{\n  \"compiler\": \"nvcc ${version}\",\n  \"targets\": [\"${targets}\"],\n  \"fatbins\": [\n${files}\n  ]\n}\n")
