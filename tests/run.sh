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

report() { # NAME STATUS OUTPUT_FILE BEGUN
  local took=$((SECONDS - $4))
  case $2 in
    0) passed=$((passed + 1)); printf '  ok    %s (%d s)\n' "$1" "$took" ;;
    77) skipped=$((skipped + 1)); printf '  skip  %s: %s\n' "$1" "$(tail -n 1 "$3")" ;;
    *) failed=$((failed + 1)); failures+=("$1"); printf '  FAIL  %s (exit %s, %d s)\n' "$1" "$2" "$took"; tail -n 60 "$3" ;;
  esac
}

part() { # NAME COMMAND...
  local name=$1 begun=$SECONDS output status
  shift
  output=$(mktemp)
  "$@" >"$output" 2>&1
  status=$?
  report "$name" "$status" "$output" "$begun"
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

# Integration scripts spend their time waiting, and each has namespaces and files of its own. Those of the failover
# manager judge how long things take, so there are no more of them at a time than CPUs; beside them as many others.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
kind() { # SCRIPT
  case ${1##*/} in *.sh) echo library ;; ha_fencing) echo alone ;; ha_*) echo failover ;; *) echo other ;; esac
}
failover=() others=() alone=()
for script in tests/integration/*; do
  [ -f "$script" ] && [ -x "$script" ] || continue
  case $(kind "$script") in failover) failover+=("$script") ;; other) others+=("$script") ;; alone) alone+=("$script") ;; esac
done
declare -A script_of=() begun_at=()
start() { # SCRIPT
  BUILD="$build" timeout 180 "$1" >"$scratch/$(basename "$1")" 2>&1 &
  script_of[$!]=$1 begun_at[$!]=$SECONDS
}
slot_free() { # KIND
  local script count=0
  for script in "${script_of[@]}"; do
    [ "$(kind "$script")" != "$1" ] || count=$((count + 1))
  done
  [ "$count" -lt "$(nproc)" ]
}
reap() { # one that has ended
  local pid status name
  wait -n -p pid "${!script_of[@]}"
  status=$?
  name=$(basename "${script_of[$pid]}")
  report "integration/$name" "$status" "$scratch/$name" "${begun_at[$pid]}"
  unset "script_of[$pid]" "begun_at[$pid]"
}
while [ $((${#failover[@]} + ${#others[@]})) -gt 0 ]; do
  if [ ${#failover[@]} -gt 0 ] && slot_free failover; then
    start "${failover[0]}"
    failover=("${failover[@]:1}")
  elif [ ${#others[@]} -gt 0 ] && slot_free other; then
    start "${others[0]}"
    others=("${others[@]:1}")
  else
    reap
  fi
done
while [ "${#script_of[@]}" -gt 0 ]; do reap; done
# Two nodes that shoot at each other, a second and a half apart.
for script in "${alone[@]}"; do
  start "$script"
  reap
done

if [ "$failed" -gt 0 ]; then printf 'failed: %s\n' "${failures[*]}"; fi
if [ "$skipped" -gt 0 ]; then printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
else printf '%d passed, %d failed\n' "$passed" "$failed"; fi
[ "$failed" -eq 0 ]
