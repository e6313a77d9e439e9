# Sourced by scenarios for what only the guest's kernel has: bravo runs polluxd too, and the kernel's DRBD stays idle.
# All of lib.sh works, and bravo's commands are those of Pollux.
#
#   bravo_daemon [OPTION...]   starts it, and waits until it serves; its log is /run/polluxd.log of the guest
#   bravo_daemon_ends          everything down; last in a scenario
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

eval "lab_$(declare -f node_exec)"
node_exec() {
  if [ "$1" = bravo ]; then guest env "PATH=$BIN_DIR:/usr/sbin:/usr/bin:/sbin:/bin" "${@:2}"; else lab_node_exec "$@"; fi
}
proc() { node_exec "$1" cat /run/pollux/proc/drbd; }
logged() {
  if [ "$1" = bravo ]; then guest cat /run/polluxd.log; else cat "$WORK/alfa/polluxd.log"; fi | grep -E -- "$2" > "$WORK/logged"
}
bravo_daemon() { expect 0 node_exec bravo polluxd --background --verbose --log-file /run/polluxd.log "$@"; }
bravo_daemon_ends() {
  expect 0 node_exec bravo drbdsetup shutdown
  wait_for 10 eval '! guest pidof polluxd'
  guest rm -f /run/polluxd.log
}
in_bravo() { node_exec bravo "$@"; }
