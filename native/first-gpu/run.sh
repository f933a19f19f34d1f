#!/bin/bash
# Lethe's first minutes on a GPU: run.sh [--tiny] [--only STAGE,STAGE] [RESULTS]. Stages of at most nine and a half minutes together,
# each under a time limit; what they say goes to files of the folder RESULTS (default: first-gpu-results) as it comes, and a
# verdict a stage to verdicts.txt there. Ends with 0 where no stage failed. Needs the bundle, and no toolkit; with ncu,
# compute-sanitizer, or a python3 that has torch on the PATH, more is measured.
#
#   --tiny           small shapes everywhere, to try the script without a GPU
#   --only           these stages and no others, after the first, which looks for the driver and cuBLAS
#   PYTHON           the Python whose torch is measured (default: python3)
#   LETHE_JAVA_OPTS  as for bin/lethe, as in -Dlethe.cublas=FOLDER
set -u

here=$(cd "$(dirname "$0")" && pwd -P)
if [ -d "$here/../app" ]; then
  lethe=$here/../bin/lethe kernels=$here/first-gpu-kernels fatbins=$here/fatbins
else
  root=$here/../.. && lethe=$root/bin/lethe
  kernels=$root/target/native/first-gpu/first-gpu-kernels
  fatbins=$root/target/classes/dev/lethe/backend/cuda/driver
fi

size=() model=(llama1b) depths=(4 2) torch_size=(--batch 8 --seq 1024) only=
while [ $# -gt 0 ]; do
  case $1 in
    --tiny)
      size=(--tiny) model=(micro --batch 1 --seq 8) depths=(2 1)
      torch_size=(--tiny --device cpu --no-compile --batch 2 --seq 32)
      ;;
    --only) only=$2 && shift ;;
    -*) echo "first-gpu: no option $1; see the head of $0" >&2 && exit 2 ;;
    *) break ;;
  esac
  shift
done
results=${1:-first-gpu-results}
mkdir -p "$results" || exit 3
verdicts=$results/verdicts.txt
: >"$verdicts"
begun=$SECONDS

verdict() {
  printf '%-9s %-18s %s\n' "$1" "$2" "$3" | tee -a "$verdicts"
}

wanted() {
  [ -z "$only" ] || case ,where,$only, in *,$1,*) ;; *) return 1 ;; esac
}

# stage NAME SECONDS COMMAND...: the command's output goes to NAME.txt and its errors to NAME.err.
stage() {
  local name=$1 limit=$2 start=$SECONDS code
  shift 2
  wanted "$name" || return 0
  timeout --kill-after=5 "$limit" "$@" >"$results/$name.txt" 2>"$results/$name.err"
  code=$?
  case $code in
    0) verdict PASS "$name" "$((SECONDS - start)) s" ;;
    124 | 137) verdict TIMEOUT "$name" "not done after $limit s; $name.txt has what came" ;;
    *) verdict FAIL "$name" "exit code $code: $(first_words "$name")" ;;
  esac
  return "$code"
}

# What a stage said that failed: its first error, or its last word.
first_words() {
  grep -v '^WARNING' "$results/$1.err" "$results/$1.txt" -h | head -n 1 | cut -c 1-160
}

skip() {
  ! wanted "$1" || verdict 'NOT RUN' "$1" "$2"
}

# with TOOL NAME SECONDS COMMAND...: a stage where the tool is there.
with() {
  local tool=$1
  shift
  if command -v "$tool" >/dev/null; then
    stage "$@"
  else
    skip "$1" "there is no $tool here"
  fi
}

# The commands of stages.

where() {
  nvidia-smi || echo "no nvidia-smi"
  "$lethe" doctor
}

benches() {
  local depth=$1
  shift
  "$lethe" bench --device cuda --workload $workload --layers "$depth" --runs 3 --warmup 1 "$@"
}

# What a layer takes, from two depths, and the whole model of 16 by that.
extrapolate() {
  awk -v one="$flat" -v two="$deep" '
    match($0, /"op":"[a-z_]*"/) { op = substr($0, RSTART + 6, RLENGTH - 7) }
    match($0, /"median_s":[0-9.eE+-]*/) {
      t = substr($0, RSTART + 11, RLENGTH - 11)
      if (FILENAME ~ /bench-deep/) upper[op] = t; else lower[op] = t
    }
    END {
      for (op in upper) if (op in lower) {
        layer = (upper[op] - lower[op]) / (two - one)
        printf "%s: a layer takes %.3f ms, 16 layers by that %.1f ms\n", op, 1e3 * layer, 1e3 * (lower[op] + (16 - one) * layer)
        found = 1
      }
      exit !found
    }' "$results/bench-flat.txt" "$results/bench-deep.txt"
}

# How much faster 2 layers are with attention by warpgroups, and what to do about it.
compare_attention() {
  awk -v option="$by_warpgroups" '
    match($0, /"op":"[a-z_]*"/) { op = substr($0, RSTART + 6, RLENGTH - 7) }
    match($0, /"median_s":[0-9.eE+-]*/) {
      t = substr($0, RSTART + 11, RLENGTH - 11)
      if (FILENAME ~ /bench-warpgroups/) by_groups[op] = t; else by_warps[op] = t
    }
    END {
      for (op in by_groups) if (by_groups[op] > 0 && op in by_warps) {
        ratio = by_warps[op] / by_groups[op]
        printf "%s %.2f times as fast; ", op, ratio
        slower += ratio < 1
        found = 1
      }
      print found && !slower ? "turn them on with LETHE_JAVA_OPTS=" option : "leave them off"
      exit !found
    }' "$results/bench-flat.txt" "$results/bench-warpgroups.txt"
}

# Which algorithm of cuBLASLt each shape has now.
algorithms() {
  cat "${XDG_CACHE_HOME:-$HOME/.cache}"/lethe/products/cublasLt*
}

finish() {
  echo
  echo "verdicts after $((SECONDS - begun)) s (all of $results/verdicts.txt):"
  cat "$verdicts"
  ! grep -q -E '^(FAIL|TIMEOUT)' "$verdicts"
  exit
}

by_warpgroups=-Dlethe.cuda.wgmma=true
warpgroups_are=
export -f where benches extrapolate compare_attention algorithms
export by_warpgroups lethe results workload="${model[*]}" deep=${depths[0]} flat=${depths[1]}
run=(bash -c '"$@"' first-gpu)

if ! stage where 15 "${run[@]}" where || ! grep -q '^ok  backend cuda' "$results/where.txt"; then
  verdict FAIL gpu "no backend cuda: see where.txt"
  finish
fi
if grep -q "^!   matrix products    Lethe's own" "$results/where.txt"; then
  verdict FAIL products "cuBLAS was not found, and nothing would be fast: see where.txt, set LETHE_JAVA_OPTS=-Dlethe.cublas=FOLDER"
  finish
fi
verdict PASS products "$(sed -n 's/^ok  matrix products *//p' "$results/where.txt" | cut -c 1-120)"

if [ -x "$kernels" ]; then
  stage kernels 60 "$kernels" "$fatbins" ${size[@]+"${size[@]}"}
  if grep -q 'compute capability 9\.0' "$results/where.txt"; then
    stage warpgroups 30 "$kernels" "$fatbins" --warpgroups ${size[@]+"${size[@]}"} && warpgroups_are=right
  else
    skip warpgroups "these kernels are for compute capability 9.0 alone"
  fi
  with ncu profile 60 ncu --clock-control none --launch-count 40 --set full --csv "$kernels" "$fatbins" --once ${size[@]+"${size[@]}"}
  with compute-sanitizer memcheck 20 compute-sanitizer --error-exitcode 9 "$kernels" "$fatbins" --tiny --once
  with compute-sanitizer racecheck 20 compute-sanitizer --tool racecheck --error-exitcode 9 "$kernels" "$fatbins" --tiny --once
else
  skip kernels "$kernels is not there: it is made where there is a C++ compiler"
  skip warpgroups "$kernels is not there"
fi

stage selftest 120 "$lethe" selftest --device cuda --json
stage bench-deep 50 "${run[@]}" benches "$deep" --ops grad,hvp,hvp_again
stage bench-flat 30 "${run[@]}" benches "$flat" --ops grad,hvp,hvp_again
if [ "$warpgroups_are" = right ]; then
  LETHE_JAVA_OPTS="${LETHE_JAVA_OPTS:-} $by_warpgroups" \
    stage bench-warpgroups 30 "${run[@]}" benches "$flat" --ops grad,hvp,hvp_again
  if wanted bench-warpgroups; then
    verdict PASS wgmma "right here; $("${run[@]}" compare_attention)"
  fi
else
  skip bench-warpgroups "attention by warpgroups was not found right here: leave it off"
fi
stage bench-kernels 40 "${run[@]}" benches "$deep" --ops grad,hvp_again --kernels
stage extrapolation 5 "${run[@]}" extrapolate
stage prediction 10 "$lethe" bench --predict --workload llama1b --ops grad,hvp,hvp_again --kernels

python=${PYTHON:-python3}
if "$python" -c 'import torch' 2>/dev/null; then
  stage torch 90 "$python" "$here/torch_peer.py" --layers "$deep" "${torch_size[@]}"
else
  skip torch "$python has no torch"
fi
if [ "$workload" = llama1b ]; then
  stage algorithms 5 "${run[@]}" algorithms
else
  skip algorithms "shapes this small are not timed"
fi
finish
