# Sourced by run and by scenarios: the guest bravo, a real kernel under software emulation.
#
# Its root is this machine's file system, read-only, with changes in its own memory; its disk /dev/vda is the file
# $LAB_RUN/bravo.img, written through, so that killing qemu is a crash and not a loss of what was acknowledged. eth0 is
# a port of a bridge in a network namespace of the run, where scenarios plug their node in; commands go over eth1.
#
#   switch_create          the namespace; the guest dies with it
#   guest_pack             the initramfs, from KERNEL_*
#   guest_boot             power on, up to the first command
#   guest_kill             power off, at once
#   guest COMMAND...       run in the guest and wait; its output and exit status
#   guest_crash_and_boot   both
#   guest_disk_size MIB    its disk grows or shrinks under it
LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_DISK_MIB=64
GUEST_ACCELERATOR=(-accel "tcg,thread=multi")
GUEST_CPU=max
GUEST_MEMORY=768
GUEST_BOOT_SECONDS=120
GUEST_EXTRA=()
GUEST_MODULES="virtio_pci virtio_net virtio_blk 9p 9pnet_virtio overlay"

in_switch() { nsenter --net="/proc/$(cat "$LAB_RUN/switch.pid")/ns/net" -- "$@"; }

switch_create() {
  local holder
  setpriv --pdeathsig KILL unshare --net --pid --fork --kill-child sleep infinity > /dev/null 2>&1 < /dev/null &
  holder=$!
  until pgrep -P $holder > "$LAB_RUN/switch.pid"; do
    kill -0 $holder
    sleep 0.05
  done
  disown $holder
  echo $holder > "$LAB_RUN/holder.pid"
  in_switch sh -c 'ip link set lo up && ip link add switch type bridge && ip link set switch up &&
    for tap in data command; do ip tuntap add $tap mode tap && ip link set $tap up || exit 1; done &&
    ip link set data master switch && ip address add 10.78.0.1/24 dev command'
}

guest_pack() {
  local tree=$LAB_RUN/initramfs path name
  mkdir -p "$tree"/{bin,modules,proc,sys,dev,root}
  cp "$(command -v busybox)" "$tree/bin/busybox"
  ln -s busybox "$tree/bin/sh"
  cp "$LAB_DIR/guest-init" "$tree/init"
  # shellcheck disable=SC2086
  modprobe --dirname "$KERNEL_ROOT" --set-version "$KERNEL_VERSION" --show-depends --all $GUEST_MODULES |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > "$LAB_RUN/modules"
  while read -r path; do
    name=$(basename "$path" .xz)
    case $path in *.xz) xz -dc "$path" > "$tree/modules/$name" ;; *) cp "$path" "$tree/modules/" ;; esac
    echo "$name" >> "$tree/modules/order"
  done < "$LAB_RUN/modules"
  printf 'MODULES=%q\nLAB=%q\n' "$(realpath "$KERNEL_ROOT/lib/modules")" "$LAB_DIR" > "$tree/settings"
  (cd "$tree" && find . | cpio --quiet -o -H newc | gzip -1) > "$LAB_RUN/initrd"
  cp "$KERNEL" "$LAB_RUN/kernel"
  rm -rf "$tree"
}

guest() { in_switch timeout "${GUEST_TIMEOUT:-60}" "$LAB_DIR/call" 10.78.0.2 4000 "$@"; }
guest_answers() { GUEST_TIMEOUT=10 guest true < /dev/null > /dev/null 2>&1; }

guest_boot() {
  local launcher deadline=$((SECONDS + GUEST_BOOT_SECONDS))
  nsenter --target "$(cat "$LAB_RUN/switch.pid")" --net --pid -- \
    qemu-system-x86_64 "${GUEST_ACCELERATOR[@]}" -cpu "$GUEST_CPU" -smp 2 -m "$GUEST_MEMORY" -nodefaults -no-user-config -display none -no-reboot \
    -kernel "$LAB_RUN/kernel" -initrd "$LAB_RUN/initrd" -serial "file:$LAB_RUN/console.log" \
    -append "console=ttyS0 net.ifnames=0 panic=-1 mitigations=off nowatchdog" \
    -fsdev local,id=machine,path=/,security_model=none,readonly=on,multidevs=remap \
    -device virtio-9p-pci,fsdev=machine,mount_tag=machine \
    -drive "file=$LAB_RUN/bravo.img,if=none,id=disk,format=raw,cache=none,discard=unmap" -device virtio-blk-pci,drive=disk \
    -netdev tap,id=data,ifname=data,script=no,downscript=no -device virtio-net-pci,netdev=data,romfile=,mac=52:54:00:77:00:02 \
    -netdev tap,id=command,ifname=command,script=no,downscript=no \
    -device virtio-net-pci,netdev=command,romfile=,mac=52:54:00:78:00:02 \
    -device virtio-rng-pci "${GUEST_EXTRA[@]}" -qmp "unix:$LAB_RUN/qmp,server=on,wait=off" > "$LAB_RUN/qemu.log" 2>&1 < /dev/null &
  launcher=$!
  disown $launcher
  until pgrep -P $launcher -x qemu-system-x86 > "$LAB_RUN/guest.pid"; do
    kill -0 $launcher 2> /dev/null || { cat "$LAB_RUN/qemu.log" >&2; return 1; }
    sleep 0.05
  done
  until guest_answers; do
    if [ $SECONDS -ge $deadline ] || ! kill -0 $launcher 2> /dev/null; then
      echo "the guest does not answer" >&2
      tail -n 40 "$LAB_RUN/console.log" "$LAB_RUN/qemu.log" >&2
      return 1
    fi
    sleep 0.2
  done
  guest modprobe drbd
}

guest_kill() {
  local pid
  pid=$(cat "$LAB_RUN/guest.pid")
  kill -KILL "$pid" 2> /dev/null || true
  while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done
}

guest_crash_and_boot() {
  guest_kill
  guest_boot
}

# The monitor's language is one JSON object a line, after a greeting.
guest_disk_size() {
  local sectors=$(($1 * 2048)) deadline=$((SECONDS + 20))
  /usr/bin/python3 - "$LAB_RUN/qmp" $((sectors * 512)) << 'EOF'
import json, socket, sys
monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])
answers = monitor.makefile()
answers.readline()
for command in ({"execute": "qmp_capabilities"},
                {"execute": "block_resize", "arguments": {"device": "disk", "size": int(sys.argv[2])}}):
    monitor.sendall(json.dumps(command).encode())
    answer = json.loads(answers.readline())
    while "event" in answer:
        answer = json.loads(answers.readline())
    if "return" not in answer:
        sys.exit(str(answer))
EOF
  until [ "$(guest cat /sys/block/vda/size)" = $sectors ]; do
    [ $SECONDS -lt $deadline ] || { echo "the guest's disk keeps its size" >&2; return 1; }
    sleep 0.1
  done
}
