# Sourced by integration tests: two (or more) complete nodes on one machine, by namespaces alone.
#
# A node has its own network, host name, processes, mounts: /etc, /var/lib and /dev are overlays of the
# machine's, /run is empty. /etc and /var/lib outlive node_kill, as a disk outlives a power cut. Several
# runs may be on one machine: nothing global is named, and only own processes and loop devices are ended.
#
#   node_create NAME               namespaces, not yet linked, host name NAME
#   node_disk NAME MIB [NODE_PATH] an empty disk of the node, /dev/disk0 unless said otherwise
#   link_nodes A B                 eth0 of both: 10.77.0.1 and 10.77.0.2 (link_nodes A B IF NET for more)
#   node_exec NAME COMMAND...      run in the node and wait
#   node_start NAME COMMAND...     run in the node in the background; its output goes to $WORK/NAME/log
#   node_write NAME PATH           standard input becomes a file of the node
#   node_kill NAME                 power off: all its processes at once
#   node_boot NAME                 power on after node_kill; links come back too
#   link_down A [IF], link_up A [IF]      unplug (both ends lose carrier) and plug
#   link_drop A [IF], link_pass A [IF]    the link looks fine but swallows everything sent to A
#   wait_for SECONDS COMMAND...    poll until it succeeds; fails the test when it never does
#   fail TEXT, skip TEXT           exit 1, exit 77
set -eEuo pipefail

TESTS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PROJECT_DIR=$(dirname "$TESTS_DIR")
BIN_DIR=${BIN_DIR:-$PROJECT_DIR/${BUILD:-build}/bin}

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}
skip() {
  echo "$(basename "$0"): skipped: $*"
  exit 77
}
trap 'fail "${BASH_SOURCE[0]##*/} line $LINENO: $BASH_COMMAND"' ERR

[ "$(id -u)" = 0 ] || skip "needs root"
for tool in unshare nsenter losetup ip; do
  command -v $tool > /dev/null || skip "needs $tool"
done

WORK=$(mktemp -d "${POLLUX_TEST_DIR:-/tmp}/pollux-test.XXXXXX")
declare -A NODE_PID=()  # of the process that holds the node's namespaces, its process 1
declare -a LINKS=()       # "A B IF NET"
declare -a OWN_LOOPS=()   # loop devices under backing disks

cleanup() {
  local status=$? node loop
  trap - ERR
  set +eE
  if [ $status -ne 0 ] && [ $status -ne 77 ]; then
    for node in "$WORK"/*/polluxd.log; do
      [ ! -s "$node" ] || (echo "--- ${node#"$WORK/"}:" && grep -v "debug: command: s" "$node" | tail -n 25) >&2
    done
    [ -z "${KEEP:-}" ] || echo "kept: $WORK" >&2
  fi
  for node in "${!NODE_PID[@]}"; do node_kill "$node"; done
  for loop in "${OWN_LOOPS[@]}"; do losetup -d "$loop"; done
  [ -n "${KEEP:-}" ] || rm -rf "$WORK"
  exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM

wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || fail "never came true: $*"
    sleep 0.05
  done
}

# Runs in the new namespaces, then stays as process 1, which takes in orphans.
node_init() {
  local name=$1 home=$2 under
  hostname "$name"
  ip link set lo up
  mount -t tmpfs -o mode=755 tmpfs "$home/volatile"
  mkdir "$home/volatile/pts" "$home/volatile/dev" "$home/volatile/dev.work"
  mount --bind /dev/pts "$home/volatile/pts"
  mount -t overlay overlay -o "lowerdir=/dev,upperdir=$home/volatile/dev,workdir=$home/volatile/dev.work" /dev
  mount --move "$home/volatile/pts" /dev/pts
  mount -t tmpfs -o mode=1777 tmpfs /dev/shm
  for under in etc var/lib; do
    mount -t overlay overlay \
      -o "lowerdir=/$under,upperdir=$home/${under/\//-},workdir=$home/${under/\//-}.work" "/$under"
  done
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -m 1777 /run/lock
  mount -t sysfs sysfs /sys
  : > "$home/volatile/ready"
  : > "$home/ready"
  trap : TERM INT
  while :; do
    sleep 3600 &
    wait
  done
}

node_boot() {
  local name=$1 home=$WORK/$1 link
  rm -f "$home/ready"
  export -f node_init
  unshare --mount --uts --net --ipc --pid --fork --kill-child --mount-proc --propagation private \
    bash -c 'node_init "$@"' node "$name" "$home" > "$home/init.log" 2>&1 < /dev/null &
  local unshare_pid=$!
  wait_for 10 test -e "$home/ready"
  NODE_PID[$name]=$(pgrep -P $unshare_pid)
  disown $unshare_pid
  node_plug_disks "$name"
  for link in "${LINKS[@]}"; do
    # shellcheck disable=SC2086
    connect_link $link
  done
}

node_create() {
  local home=$WORK/$1
  mkdir -p "$home"/{volatile,etc,etc.work,var-lib,var-lib.work}
  : > "$home/disks"
  node_boot "$1"
}

node_exec() {
  local pid=${NODE_PID[$1]:-}
  [ -n "$pid" ] || fail "node $1 is off"
  shift
  nsenter -t "$pid" -m -u -n -i -p -- "$@"
}

node_start() {
  node_exec "$@" >> "$WORK/$1/log" 2>&1 < /dev/null &
  disown $!
}

node_write() {
  local name=$1 path=$2
  node_exec "$name" mkdir -p "$(dirname "$path")"
  # shellcheck disable=SC2016
  node_exec "$name" sh -c 'cat > "$1"' write "$path"
}

node_disk() {
  local name=$1 mib=$2 path=${3:-/dev/disk0}
  local file loop
  file=$WORK/$name/$(basename "$path").img
  truncate -s "${mib}M" "$file"
  loop=$(losetup --find --show --direct-io=on "$file")
  OWN_LOOPS+=("$loop")
  echo "$path $loop" >> "$WORK/$name/disks"
  node_plug_disks "$name"
}

# The node's /dev is new after each boot.
node_plug_disks() {
  local path loop
  while read -r path loop; do
    [ -n "$path" ] || continue
    node_exec "$1" test -b "$path" ||
      node_exec "$1" mknod -m 660 "$path" b "0x$(stat -c %t "$loop")" "0x$(stat -c %T "$loop")"
  done < "$WORK/$1/disks"
}

link_nodes() {
  LINKS+=("$1 $2 ${3:-eth0} ${4:-10.77.0}")
  connect_link "$1" "$2" "${3:-eth0}" "${4:-10.77.0}"
}

# Nothing happens while one of the two is off, or when they are linked already.
connect_link() {
  local a=${NODE_PID[$1]:-} b=${NODE_PID[$2]:-} interface=$3 net=$4
  [ -n "$a" ] && [ -n "$b" ] || return 0
  ! node_exec "$1" ip link show "$interface" > /dev/null 2>&1 || return 0
  node_exec "$1" ip link show > /dev/null
  nsenter -t "$a" -n ip link add "$interface" type veth peer name "$interface" netns "$b"
  node_exec "$1" ip address add "$net.1/24" dev "$interface"
  node_exec "$2" ip address add "$net.2/24" dev "$interface"
  link_up "$1" "$interface"
  link_up "$2" "$interface"
}

link_down() { node_exec "$1" ip link set "${2:-eth0}" down; }
link_up() { node_exec "$1" ip link set "${2:-eth0}" up; }
link_drop() {
  node_exec "$1" nft -f - << EOF
table netdev swallow {
  chain ${2:-eth0} { type filter hook ingress device "${2:-eth0}" priority 0; policy drop; }
}
EOF
}
link_pass() { node_exec "$1" nft delete chain netdev swallow "${2:-eth0}"; }

# Loop devices belong to the machine, not to the node: those that its daemon attached go with it,
# as they would at a power cut. Each is recorded as "NUMBER SEQUENCE" in the node's /run/pollux/loop.
node_kill() {
  local name=$1 pid=${NODE_PID[$1]:-} records number sequence
  [ -n "$pid" ] || return 0
  records=$(cat "/proc/$pid/root/run/pollux/loop/"* 2> /dev/null || true)
  kill -KILL "$pid" 2> /dev/null || true
  unset "NODE_PID[$name]"
  wait_for 30 test ! -e "/proc/$pid"
  while read -r number sequence; do
    [ -n "$number" ] || continue
    [ "$(cat "/sys/block/loop$number/diskseq" 2> /dev/null)" != "$sequence" ] ||
      losetup -d "/dev/loop$number" 2> /dev/null || true
  done <<< "$records"
}
