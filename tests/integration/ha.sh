# Sourced by tests of the failover manager: nodes alfa and bravo (or $HA_NODES) with two links, and a service address.
# KEEPALIVE, DEADTIME, WARNTIME, INITDEAD and AUTO_FAILBACK are for ha.cf.
#
#   ha_pair [HA_CF_LINES]      nodes with eth0 (10.77.0.1 and .2) and eth1 (10.77.1.…) at a switch each, which a node
#                              that dies does not take along; /etc/ha.d written; nothing started
#   ha_cib_pair [HA_CF_LINES]  the same with "crm yes" and no haresources
#   ha_boot NODE               power on after node_kill, cables plugged
#   sever NODE [IF], mend NODE [IF]   the switch drops everything from and to the node on that interface
#   ha_resources LINE...       another /etc/ha.d/haresources on both nodes
#   had NODE [OPTION...]       starts pollux-had; its log is $WORK/NODE/ha.log
#   stop_had NODE              asks it to end, and waits for that
#   logged NODE PATTERN        it has logged a line that matches (extended regular expression)
#   node_is NODE OTHER STATUS  how NODE sees OTHER (cl_status nodestatus)
#   link_is NODE OTHER IF up|dead
#   resources_are NODE WHAT    cl_status rscstatus says WHAT
#   has_address NODE [IP]      the service address is there
#   only_on NODE               the service address is there and not on the other node
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
for tool in pollux-had cl_status hb_standby hb_takeover pollux-send-arp; do
  [ -x "$BIN_DIR/$tool" ] || fail "no $BIN_DIR/$tool: make programs builds it"
done
export PATH=$BIN_DIR:$PATH
SERVICE_IP=10.77.0.190
AGENTS=$PROJECT_DIR/ocf-agents/resource.d

ha_config() { # NODE EXTRA_LINES
  node_exec "$1" rm -rf /etc/ha.d
  node_write "$1" /etc/ha.d/ha.cf << CONF
logfile $WORK/$1/ha.log
logfacility none
keepalive ${KEEPALIVE:-200ms}
deadtime ${DEADTIME:-2}
warntime ${WARNTIME:-1}
initdead ${INITDEAD:-10}
udpport 694
bcast eth0
ucast eth1 10.77.1.1
ucast eth1 10.77.1.2
ucast eth1 10.77.1.3
auto_failback ${AUTO_FAILBACK:-on}
node $HA_NODES
${2:-}
CONF
  printf 'auth 1\n1 sha1 a-secret-word\n' | node_write "$1" /etc/ha.d/authkeys
  node_exec "$1" chmod 600 /etc/ha.d/authkeys
  node_exec "$1" rm -rf /var/lib/heartbeat
  node_exec "$1" mkdir -p /var/lib/heartbeat
}

ha_resources() {
  local node
  for node in $HA_NODES; do
    printf '%s\n' "$@" | node_write $node /etc/ha.d/haresources
  done
}

HA_NODES=${HA_NODES:-alfa bravo}
ha_number() { case $1 in alfa) echo 1 ;; bravo) echo 2 ;; *) echo 3 ;; esac; }

# Both switches live in a node of their own: its ports are called NODE-eth0 and so on.
ha_plug() {
  local node=$1 net port number
  number=$(ha_number "$node")
  for net in 0 1; do
    port=$node-eth$net
    node_exec switch ip link delete "$port" 2> /dev/null || true
    nsenter -t "${NODE_PID[switch]}" -n ip link add "$port" type veth peer name eth$net netns "${NODE_PID[$node]}"
    node_exec switch ip link set "$port" master bridge$net up
    node_exec "$node" ip address add 10.77.$net.$number/24 broadcast + dev eth$net
    node_exec "$node" ip link set eth$net up
  done
}
ha_boot() {
  node_boot "$1"
  ha_plug "$1"
}
sever() { node_exec switch ip link set "$1-${2:-eth0}" nomaster; }
mend() {
  local interface=${2:-eth0}
  node_exec switch ip link set "$1-$interface" master "bridge${interface#eth}"
}

ha_pair() {
  local node net
  node_create switch
  for net in 0 1; do
    node_exec switch ip link add bridge$net type bridge
    node_exec switch ip link set bridge$net up
  done
  for node in $HA_NODES; do
    node_create $node
    ha_plug $node
    ha_config $node "${1:-}"
  done
  ha_resources "alfa IPaddr::$SERVICE_IP/24"
}

# The same, for a cluster that a CIB describes; none is there yet.
ha_cib_pair() {
  local node
  ha_pair "crm yes
${1:-}"
  for node in $HA_NODES; do
    node_exec "$node" rm -rf /etc/ha.d/haresources /var/lib/pollux
  done
}

had() {
  local node=$1
  shift
  node_start "$node" pollux-had --foreground --scripts "$AGENTS" "$@"
  wait_for 15 node_exec "$node" cl_status hbstatus
}
stop_had() {
  node_exec "$1" pkill -TERM -x pollux-had
  wait_for 30 had_ended "$1"
}
had_ended() { ! node_exec "$1" cl_status hbstatus; }
logged() { grep -qE "$2" "$WORK/$1/ha.log"; }
node_is() { [ "$(node_exec "$1" cl_status nodestatus "$2")" = "$3" ]; }
link_is() { [ "$(node_exec "$1" cl_status hblinkstatus "$2" "$3")" = "$4" ]; }
resources_are() { [ "$(node_exec "$1" cl_status rscstatus)" = "$2" ]; }
has_address() { [ -n "$(node_exec "$1" ip -4 -o address show to "${2:-$SERVICE_IP}")" ]; }
other_than() { if [ "$1" = alfa ]; then echo bravo; else echo alfa; fi; }
only_on() { has_address "$1" && ! has_address "$(other_than "$1")"; }
