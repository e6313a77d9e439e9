# Sourced by tests of the mirror: nodes alfa and bravo with resource r0 on /dev/disk0 (meta data internal), linked.
#
#   pair_create [MIB [DISK_OPTIONS [NET_OPTIONS]]]  nodes, disks, link, /etc/drbd.conf, daemons; nothing configured
#   pair_config [DISK_OPTIONS [NET_OPTIONS]]        writes /etc/drbd.conf of the nodes again ($PAIR_PROTOCOL or C)
#   pair_up [MIB …]          pair_create, create-md, up, connected: both Secondary and Inconsistent
#   pair_synced [MIB …]      pair_up, alfa forced to be Primary, and the first sync is over
#   daemon NODE [OPTIONS]    starts polluxd on the node (after node_boot); its log is $WORK/NODE/polluxd.log
#   is NODE VERB WORD        drbdadm's role, cstate or dstate of r0 is WORD
#   both_up_to_date          waits for it
#   counter NODE NAME        from proc/drbd: ns, nr, oos, …
#   expect CODE COMMAND...   the command exits with CODE; its output is in $WORK/out and $WORK/err
#   said PATTERN             a line of the last expect's output matches
#   logged NODE PATTERN      the node's daemon has logged it
#   nbd_uri                  of r0's NBD socket, seen from inside a node
#   down_and_compare         down on both nodes; data and bitmaps must be equal
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
for tool in polluxd drbdadm drbdsetup drbdmeta; do
  [ -x "$BIN_DIR/$tool" ] || fail "no $BIN_DIR/$tool: make programs builds it"
done
export PATH=$BIN_DIR:$PATH

pair_config() {
  local node
  for node in "${!NODE_PID[@]}"; do
    node_write $node /etc/drbd.conf << CONF
resource r0 {
  net    { protocol ${PAIR_PROTOCOL:-C}; ping-int 1; ping-timeout 5; connect-int 1; ${2:-} }
  disk   { ${1:-} }
  device /dev/drbd0;
  disk   /dev/disk0;
  meta-disk internal;
  on alfa  { address 10.77.0.1:7789; }
  on bravo { address 10.77.0.2:7789; }
}
CONF
  done
}

daemon() {
  node_start "$1" polluxd --foreground --verbose --log-file "$WORK/$1/polluxd.log" "${@:2}"
  wait_for 10 serves "$1"
}
# Not the socket's file: a daemon that was killed left it behind.
serves() {
  local code=0
  node_exec "$1" drbdsetup role 4095 || code=$?
  [ $code = 10 ]
}

pair_create() {
  local mib=${1:-32} node
  for node in alfa bravo; do
    node_create $node
    node_disk $node "$mib"
  done
  link_nodes alfa bravo
  pair_config "${2:-}" "${3:-}"
  for node in alfa bravo; do daemon $node; done
}

pair_up() {
  local node
  pair_create "$@"
  for node in alfa bravo; do
    expect 0 node_exec $node drbdadm create-md r0
    node_exec $node drbdadm up r0
  done
  node_exec alfa drbdadm wait-connect r0
}

pair_synced() {
  pair_up "$@"
  node_exec alfa drbdadm primary --force r0
  both_up_to_date
}

is() { [ "$(node_exec "$1" drbdadm "$2" r0)" = "$3" ]; }
both_up_to_date() { wait_for 30 is alfa dstate UpToDate/UpToDate && wait_for 30 is bravo dstate UpToDate/UpToDate; }
counter() { node_exec "$1" grep -o "\b$2:[0-9]*" /run/pollux/proc/drbd | cut -d: -f2; }
logged() { grep -qE -- "$2" "$WORK/$1/polluxd.log"; }
nbd_uri() { echo 'nbd+unix:///r0/0?socket=/run/pollux/nbd/r0-0.sock'; }

expect() {
  local wanted=$1 code=0
  shift
  "$@" > "$WORK/out" 2> "$WORK/err" || code=$?
  [ "$code" = "$wanted" ] || fail "$*: exit $code, not $wanted: $(cat "$WORK/out" "$WORK/err")"
}
said() { grep -qE -- "$1" "$WORK/out" "$WORK/err" || fail "no '$1' in: $(cat "$WORK/out" "$WORK/err")"; }

down_and_compare() {
  local node bytes
  for node in alfa bravo; do node_exec $node drbdadm down r0; done
  for node in alfa bravo; do
    node_exec $node drbdadm apply-al r0 > "$WORK/out" 2>&1 || fail "$(cat "$WORK/out")"
    node_exec $node drbdadm dump-md r0 > "$WORK/$node/dump"
    sed -n '/^bm {/,$p' "$WORK/$node/dump" > "$WORK/$node/bitmap"
  done
  bytes=$(sed -n 's/^la-size-sect \(.*\);/\1/p' "$WORK/alfa/dump")
  bytes=$((bytes * 512))
  [ $bytes -gt 0 ] || fail "no size in the meta data"
  cmp -n $bytes "$WORK/alfa/disk0.img" "$WORK/bravo/disk0.img" >&2 || fail "replicas differ"
  diff "$WORK/alfa/bitmap" "$WORK/bravo/bitmap" >&2 || fail "bitmaps differ"
}
