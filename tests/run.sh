#!/usr/bin/env bash
# Runs every test that needs no guest kernel and ends with "N passed, N failed[, N skipped]".
# Usage: tests/run.sh BUILD_DIR [SIM_SEEDS]. Parts: unit tests, lint, simulated histories, fuzz corpora
# and the integration scripts (real processes in namespaces; they need root).
set -u
build=$1
seeds=${2:-200}
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0 skipped=0
failures=()

report() { # NAME STATUS OUTPUT_FILE
  case $2 in
    0) passed=$((passed + 1)); printf '  ok    %s\n' "$1" ;;
    77) skipped=$((skipped + 1)); printf '  skip  %s: %s\n' "$1" "$(tail -n 1 "$3")" ;;
    *) failed=$((failed + 1)); failures+=("$1"); printf '  FAIL  %s (exit %s)\n' "$1" "$2"; tail -n 60 "$3" ;;
  esac
}

part() { # NAME COMMAND...
  local name=$1 output status
  shift
  output=$(mktemp)
  "$@" >"$output" 2>&1
  status=$?
  report "$name" "$status" "$output"
  rm -f "$output"
}

unit_tests() {
  local output ok bad
  output=$(mktemp)
  "$build/tests/unit" >"$output" 2>&1
  local status=$?
  ok=$(sed -nE 's/^\[  PASSED  \] ([0-9]+) tests?\.$/\1/p' "$output" | tail -n 1)
  bad=$(sed -nE 's/^ *([0-9]+) FAILED TESTS?$/\1/p' "$output" | tail -n 1)
  passed=$((passed + ${ok:-0}))
  failed=$((failed + ${bad:-0}))
  if [ "$status" -ne 0 ]; then
    grep -E '^\[  FAILED  \]|Failure|ensure' "$output" | head -n 60
    tail -n 20 "$output"
    [ "${bad:-0}" -gt 0 ] || failed=$((failed + 1))
    failures+=("unit tests")
  fi
  printf '  unit tests: %s passed, %s failed\n' "${ok:-0}" "${bad:-0}"
  rm -f "$output"
}

unit_tests
for check in tests/lint/*; do
  [ -x "$check" ] && part "lint/$(basename "$check")" "$check"
done
if [ -x "$build/tests/sim" ]; then
  part "simulation of $seeds histories" "$build/tests/sim" --seeds "$seeds"
  part "simulation of 40 histories of failover" "$build/tests/sim" --kind ha --seeds 40
fi
for corpus in tests/fuzz/corpus/*; do
  part "fuzz corpus $(basename "$corpus")" "$build/fuzz/$(basename "$corpus")" "$corpus"/*
done

# Integration scripts spend their time waiting, and each has namespaces and files of its own: as many at a time as
# there are CPUs.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
declare -A running=()
reap() { # one that has ended
  local pid status
  wait -n -p pid "${!running[@]}"
  status=$?
  report "integration/${running[$pid]}" "$status" "$scratch/${running[$pid]}"
  unset "running[$pid]"
}
for script in tests/integration/*; do
  [ -f "$script" ] && [ -x "$script" ] || continue
  name=$(basename "$script")
  case $name in *.sh) continue ;; esac
  [ "${#running[@]}" -lt "$(nproc)" ] || reap
  BUILD="$build" timeout 180 "$script" >"$scratch/$name" 2>&1 &
  running[$!]=$name
done
while [ "${#running[@]}" -gt 0 ]; do reap; done

if [ "$failed" -gt 0 ]; then printf 'failed: %s\n' "${failures[*]}"; fi
if [ "$skipped" -gt 0 ]; then printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
else printf '%d passed, %d failed\n' "$passed" "$failed"; fi
[ "$failed" -eq 0 ]
