# Sourced by the metadata_* tests: a blank block device, and both drbdmeta tools on it.
#
#   new_device MIB          $DEVICE: another loop device, with zeros
#   blank                   zeros again
#   ours WORD..., theirs WORD...   `drbdmeta - v08 $DEVICE WORD...` without terminal, options first;
#                                  output in $WORK/ours.out, .err or $WORK/theirs.out, .err; status in $STATUS
#   same_output             both said the same, apart from what names the moment, the tool and the flags
. "$(dirname "$0")/lib.sh"
THEIRS=${THEIRS:-/usr/sbin/drbdmeta}
[ -x "$THEIRS" ] || skip "needs drbd-utils"
[ -x "$BIN_DIR/drbdmeta" ] || fail "drbdmeta is not built"

new_device() {
  local file=$WORK/disk.${#OWN_LOOPS[@]}
  truncate -s "$1" "$file"
  DEVICE=$(losetup --find --show "$file")
  OWN_LOOPS+=("$DEVICE")
}
blank() { blkdiscard --force --zeroout "$DEVICE" 2> /dev/null; }
run_tool() { # NAME PROGRAM WORD...
  local name=$1 program=$2 options=()
  shift 2
  while [[ ${1:-} == --* ]]; do options+=("$1") && shift; done
  STATUS=0
  "$program" "${options[@]}" - v08 "$DEVICE" "$@" > "$WORK/$name.out" 2> "$WORK/$name.err" < /dev/null || STATUS=$?
}
ours() { run_tool ours "$BIN_DIR/drbdmeta" "$@"; }
theirs() { run_tool theirs theirs_without_traces "$@"; }
# It notes where it saw meta data; not on this machine.
theirs_without_traces() {
  # shellcheck disable=SC2016
  unshare --mount sh -c 'mkdir -p /var/lib/drbd && mount -t tmpfs tmpfs /var/lib/drbd && exec "$@"' sh "$THEIRS" "$@"
}
neutral() {
  sed -E -e 's/^# [0-9]{4}-.* \[[0-9]+\]$/# moment/' -e 's/^(    flags 0x).*/\1/' "$1"
}
same_output() {
  diff <(neutral "$WORK/theirs.out") <(neutral "$WORK/ours.out") >&2 || fail "$*: output differs"
  diff "$WORK/theirs.err" "$WORK/ours.err" >&2 || fail "$*: errors differ"
}
content() { sha256sum < "$DEVICE"; }
