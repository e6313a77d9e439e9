# Sourced by scenarios: alfa is a node of this machine with polluxd, bravo the guest with the kernel's DRBD. They share
# resource r0: 64 MiB disks with internal meta data, full of different random bytes, a link, /etc/drbd.conf.
#
# run calls a scenario once for each direction, with A the node that begins (Primary, sync source) and B the other one.
# All of tests/integration/lib.sh and pair.sh works for both nodes; bravo's commands are those of drbd-utils.
#
#   pair_create [DISK_OPTIONS [NET_OPTIONS]]   nodes, fresh disks, configuration; nothing is configured yet
#   pair_up …                                  pair_create, create-md, up, connected
#   pair_synced …                              pair_up, A forced to be Primary, and the first sync is over
#   image NODE                                 the file that is its disk
#   proc NODE                                  its /proc/drbd
#   is NODE VERB WORD                          its /proc/drbd says it: cstate, role or dstate
#   QUICK_SYNC                                 disk options
#   settled                                    both Connected and UpToDate, nothing in flight, nothing out of sync, and
#                                              each /proc/drbd says of the other what the other says of itself
#   finish                                     settled, down on both; data, bitmaps and generations are equal, and the
#                                              kernel did not complain
#   kernel_may_say PATTERN                     complaints that belong to the scenario
#   kernel_said PATTERN                        the kernel has logged it since the scenario began
#   write_at NODE MIB COUNT                    COUNT MiB of random bytes, durable
#   power_cut NODE, power_on NODE              the daemon of alfa runs again, bravo has the module; nothing is up
. "$(dirname "${BASH_SOURCE[0]}")/../integration/pair.sh"
. "$TESTS_DIR/lab/guest.sh"
[ -n "${LAB_RUN:-}" ] || fail "tests/lab/run runs scenarios"
case ${DIRECTION:-pollux} in
  pollux) A=alfa B=bravo ;;
  kernel) A=bravo B=alfa ;;
  *) fail "no direction '$DIRECTION'" ;;
esac
# The default controller of a kernel that is sync target starts slowly, and c-min-rate makes it give way to applications.
QUICK_SYNC='c-plan-ahead 0; resync-rate 200M; c-min-rate 0;'
KERNEL_COMPLAINS='ASSERT|BUG|WARNING:|Oops|Call Trace|ERROR|[Ww]rong magic|[Uu]nexpected|[Uu]nknown|[Bb]ogus|mismatch|error receiving|FAILED|al_complete|hung_task'
KERNEL_MAY_SAY='Unknown -> |-> Unknown'

for function in node_exec node_start node_disk node_kill node_boot cleanup; do
  eval "machine_$(declare -f $function)"
done
node_exec() {
  if [ "$1" = bravo ]; then guest "${@:2}"; else machine_node_exec "$@"; fi
}
node_start() {
  if [ "$1" != bravo ]; then
    machine_node_start "$@"
  else
    shift
    GUEST_TIMEOUT=600 guest "$@" >> "$WORK/bravo/log" 2>&1 < /dev/null &
    disown $!
  fi
}
node_write() {
  node_exec "$1" mkdir -p "$(dirname "$2")" < /dev/null
  # shellcheck disable=SC2016
  node_exec "$1" sh -c 'cat > "$1"' write "$2"
}
# The bridge end goes with the other end when the node dies, but its namespace may take its time.
connect_link() {
  local alfa=${NODE_PID[alfa]:-}
  [ -n "$alfa" ] || return 0
  ! machine_node_exec alfa ip link show eth0 > /dev/null 2>&1 || return 0
  in_switch ip link delete alfa 2> /dev/null || true
  in_switch ip link add alfa type veth peer name eth0 address 52:54:00:77:00:01 netns "$alfa"
  in_switch ip link set alfa master switch up
  machine_node_exec alfa ip address add 10.77.0.1/24 dev eth0
  link_up alfa
}
counter() { proc "$1" | grep -o "\b$2:[0-9]*" | cut -d: -f2; }
proc() {
  if [ "$1" = bravo ]; then guest cat /proc/drbd; else node_exec alfa cat /run/pollux/proc/drbd; fi
}
# What drbdadm would say, of which the guest can run two or three in a second.
is() {
  local line view=
  line=$(proc "$1" | grep '^ *0: ') || return 1
  case $2 in cstate) view=cs ;; role) view=ro ;; dstate) view=ds ;; esac
  [[ "$line " = *" $view:$3 "* ]]
}
both_up_to_date() { wait_for 60 is alfa dstate UpToDate/UpToDate && wait_for 60 is bravo dstate UpToDate/UpToDate; }
image() { if [ "$1" = bravo ]; then echo "$LAB_RUN/bravo.img"; else echo "$WORK/alfa/disk0.img"; fi; }
kernel_log() { guest dmesg --notime; }
kernel_may_say() { KERNEL_MAY_SAY+="|$1"; }
kernel_said() { kernel_log > "$WORK/kernel.log" && grep -qE -- "$1" "$WORK/kernel.log"; }
logged() {
  if [ "$1" = bravo ]; then kernel_said "$2"; else grep -qE -- "$2" "$WORK/alfa/polluxd.log"; fi
}

# $1: options of disk {}, $2: of net {}; the same for both nodes, but for PEER_NET (net {} of bravo alone).
pair_config() {
  local node
  PAIR_DISK_OPTIONS=${1:-} PAIR_NET_OPTIONS=${2:-}
  for node in alfa bravo; do
    node_write $node /etc/drbd.conf << CONF
global { usage-count no; }
resource r0 {
  net    { protocol C; ping-int 1; ping-timeout 5; connect-int 1; ${2:-} $([ $node = alfa ] || echo "${PEER_NET:-}") }
  disk   { ${1:-} }
  device /dev/drbd0;
  meta-disk internal;
  on alfa  { disk /dev/disk0; address 10.77.0.1:7789; }
  on bravo { disk /dev/vda; address 10.77.0.2:7789; }
}
CONF
  done
}

random_disk() { openssl enc -aes-128-ctr -nosalt -pass "pass:$1.$RANDOM" -in /dev/zero 2> /dev/null | head -c "${LAB_DISK_MIB}M" > "$(image "$1")" || true; }

pair_create() {
  mkdir -p "$WORK/bravo"
  node_create alfa
  LINKS=("alfa bravo eth0 10.77.0")
  connect_link
  node_disk alfa $LAB_DISK_MIB
  random_disk alfa
  [ "$(stat -c %s "$(image bravo)")" = $((LAB_DISK_MIB << 20)) ] || guest_disk_size $LAB_DISK_MIB
  random_disk bravo
  guest blockdev --flushbufs /dev/vda
  guest dmesg --clear
  pair_config "$@"
  daemon alfa
}

pair_up() {
  local node
  pair_create "$@"
  for node in alfa bravo; do
    expect 0 node_exec $node drbdadm create-md --force r0
    expect 0 node_exec $node drbdadm up r0
  done
  wait_for 20 is alfa cstate Connected
  wait_for 20 is bravo cstate Connected
}

pair_synced() {
  pair_up "$@"
  expect 0 node_exec $A drbdadm primary --force r0
  both_up_to_date
}

write_at() { node_exec "$1" dd if=/dev/urandom of=/dev/drbd0 bs=1M seek="$2" count="$3" oflag=direct conv=fsync,notrunc status=none; }

power_cut() {
  if [ "$1" = bravo ]; then guest_kill; else machine_node_kill alfa; fi
}
power_on() {
  if [ "$1" = bravo ]; then
    guest_boot
    pair_config "$PAIR_DISK_OPTIONS" "$PAIR_NET_OPTIONS"
  else
    machine_node_boot alfa
    daemon alfa
  fi
}

field() { sed -nE "s/^ *0: .*\b$2:([^ ]+).*/\1/p" "$WORK/$1/proc"; }
turned() { echo "${1#*/}/${1%/*}"; }
# What is wrong with the two views; empty when nothing is.
views_differ() {
  local node in_flight
  for node in alfa bravo; do
    proc $node > "$WORK/$node/proc" || return 0
    [ "$(field $node cs)" = Connected ] || echo "$node: cs:$(field $node cs)"
    [ "$(field $node ds)" = UpToDate/UpToDate ] || echo "$node: ds:$(field $node ds)"
    for in_flight in lo pe ua ap oos; do
      grep -q " $in_flight:0\b" "$WORK/$node/proc" || echo "$node: $in_flight is not 0"
    done
  done
  [ "$(field alfa ro)" = "$(turned "$(field bravo ro)")" ] || echo "roles: $(field alfa ro), $(field bravo ro)"
  [ "$(awk '$1 == "0:" { print $5 }' "$WORK/alfa/proc")" = "$(awk '$1 == "0:" { print $5 }' "$WORK/bravo/proc")" ] ||
    echo "not the same protocol"
}
no_difference() {
  views_differ > "$WORK/differences"
  [ ! -s "$WORK/differences" ]
}
settled() {
  local deadline=$((SECONDS + 60))
  until no_difference; do
    [ $SECONDS -lt $deadline ] || fail "never settled: $(cat "$WORK/differences" "$WORK/alfa/proc" "$WORK/bravo/proc")"
    sleep 0.2
  done
}

kernel_complaints() { kernel_log | grep -E "$KERNEL_COMPLAINS" | grep -vE "$KERNEL_MAY_SAY" || true; }

dump() { # NODE: its meta data after down, as text
  expect 0 node_exec "$1" drbdadm apply-al r0
  node_exec "$1" drbdadm dump-md r0 > "$WORK/$1/dump"
  sed -n '/^bm {/,$p' "$WORK/$1/dump" > "$WORK/$1/bitmap"
}
# The lowest bit of a current generation says that the disk was Primary's, no more.
generation() { echo $((0x$(sed -nE "s/^ *$2 0x([0-9A-F]+);.*/\1/p" "$WORK/$1/dump") & ~1)); }

compare() {
  local node bytes complaints
  for node in alfa bravo; do dump $node; done
  bytes=$(sed -n 's/^la-size-sect \(.*\);/\1/p' "$WORK/alfa/dump")
  [ "$bytes" = "$(sed -n 's/^la-size-sect \(.*\);/\1/p' "$WORK/bravo/dump")" ] || fail "sizes differ"
  [ "$bytes" -gt 0 ] || fail "no size in the meta data"
  cmp -n $((bytes * 512)) "$(image alfa)" "$(image bravo)" >&2 || fail "replicas differ"
  diff "$WORK/alfa/bitmap" "$WORK/bravo/bitmap" >&2 || fail "bitmaps differ"
}

finish() {
  local node complaints
  settled
  for node in alfa bravo; do
    case $(field $node ro) in Primary/*) expect 0 node_exec $node drbdadm secondary r0 ;; esac
  done
  settled
  for node in alfa bravo; do expect 0 node_exec $node drbdadm down r0; done
  compare
  [ "$(generation alfa current)" = "$(generation bravo current)" ] ||
    fail "generations differ: $(grep -h -A 12 '^uuid' "$WORK/alfa/dump" "$WORK/bravo/dump")"
  complaints=$(kernel_complaints)
  [ -z "$complaints" ] || fail "the kernel says: $complaints"
}

tell() {
  local node
  set +e
  [ -z "${LAB_SHOW:-}" ] || cp -r "$WORK" "$LAB_SHOW/"
  for node in alfa bravo; do echo "--- $node:"; proc $node | tail -n +3; done
  echo "--- kernel:"
  kernel_log | grep -v 'systemd\|audit' | tail -n "${LAB_LINES:-40}"
}
cleanup() {
  local status=$?
  trap - ERR
  set +eE
  [ $status -eq 0 ] || [ $status -eq 77 ] || (tell) >&2 2>&1
  (exit $status)
  machine_cleanup
}
