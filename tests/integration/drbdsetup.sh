# Sourced by the tests of drbdsetup: one node with a disk that has meta data, and a daemon.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ -x "$BIN_DIR/drbdsetup" ] || skip "needs drbdsetup in $BIN_DIR"

setup() { node_exec alfa "$BIN_DIR/drbdsetup" "$@"; }

# expect CODE COMMAND...: runs drbdsetup; its output is then in $WORK/out and $WORK/err
expect() {
  local wanted=$1 code=0
  shift
  setup "$@" > "$WORK/out" 2> "$WORK/err" || code=$?
  [ "$code" = "$wanted" ] || fail "drbdsetup $*: exit $code instead of $wanted: $(cat "$WORK/err")"
}
expect_out() { [ "$(cat "$WORK/out")" = "$1" ] || fail "expected '$1', got '$(cat "$WORK/out")'"; }
expect_err() { [ "$(cat "$WORK/err")" = "$1" ] || fail "expected '$1', got '$(cat "$WORK/err")'"; }

node_create alfa
node_disk alfa 16
node_exec alfa "$BIN_DIR/drbdmeta" --force 0 v08 /dev/disk0 internal create-md > "$WORK/create-md" 2>&1 \
  || fail "$(cat "$WORK/create-md")"
node_start alfa "$BIN_DIR/polluxd" --foreground --no-kernel-devices
wait_for 10 node_exec alfa test -S /run/pollux/control.sock
