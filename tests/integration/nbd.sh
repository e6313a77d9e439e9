# Sourced by the NBD tests: our server over the real reactor with a volume in memory.
#   start_nbd_server MIB [primary|secondary|read-only]   sets NBD_PID, NBD_SOCKET, NBD_URI
#   needs_tools NAME...                                  skips the test without them
#   python_nbd < SCRIPT                                  libnbd from Python; `uri` is set
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

NBD_SERVER=${NBD_SERVER:-$PROJECT_DIR/${BUILD:-build/release}/tests/nbd-memory-server}
[ -x "$NBD_SERVER" ] || fail "no $NBD_SERVER: make check builds it"
NBD_PID=

needs_tools() {
  local tool
  for tool in "$@"; do command -v "$tool" > /dev/null || skip "needs $tool"; done
}

stop_nbd_server() {
  [ -n "$NBD_PID" ] || return 0
  kill "$NBD_PID" 2> /dev/null || true
  wait "$NBD_PID" || fail "the server ended with status $?"
  NBD_PID=
}

start_nbd_server() {
  NBD_SOCKET=$WORK/nbd.sock
  NBD_URI="nbd+unix:///?socket=$NBD_SOCKET"
  "$NBD_SERVER" "$NBD_SOCKET" "$@" > "$WORK/server.log" 2>&1 &
  NBD_PID=$!
  wait_for 10 test -S "$NBD_SOCKET"
}

nbd_cleanup() {
  local status=$?
  [ -z "$NBD_PID" ] || kill -KILL "$NBD_PID" 2> /dev/null
  trap - ERR
  set +eE
  (exit $status)
  cleanup
}
trap nbd_cleanup EXIT

# The system's interpreter: libnbd's module belongs to it.
python_nbd() {
  [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import nbd' 2> /dev/null || skip "needs python3-libnbd"
  { printf 'import nbd, errno, sys\nuri = "%s"\n' "$NBD_URI"; cat; } > "$WORK/script.py"
  timeout 60 /usr/bin/python3 "$WORK/script.py"
}
