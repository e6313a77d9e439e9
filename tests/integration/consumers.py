"""Reads displays as the programs of others do, each by its own rules; prints what one of them would not understand.

consumers.py FOLDER, with files of one moment: proc, status.json, events2, version, sh-status, and expected.json
(minor: cs, roles, disks)."""
import json
import re
import subprocess
import sys

folder = sys.argv[1]


def text(name):
    with open(f"{folder}/{name}") as file:
        return file.read()


expected = json.loads(text("expected.json"))
problems = []


def check(consumer, good, what):
    if not good:
        problems.append(f"{consumer}: {what}")


def node_exporter():
    """Words with exactly one colon; "N:" begins a device; numbers must be numbers, roles and disks have a slash."""
    numeric = {"ns", "nr", "dw", "dr", "al", "bm", "lo", "pe", "ua", "ap", "oos"}
    device, seen = None, {}
    for word in text("proc").split():
        parts = word.split(":")
        if len(parts) != 2:
            continue
        key, value = parts
        if value == "" and key.isdigit():
            device = key
            seen[device] = {}
        elif device is not None:
            seen[device][key] = value
            check("node_exporter", key not in numeric or value.isdigit(), word)
            check("node_exporter", key not in ("ro", "ds") or "/" in value, word)
    for minor, state in expected.items():
        check("node_exporter", seen.get(minor, {}).get("cs") == state["cs"], f"{minor}: {seen}")
        if state["cs"] != "Unconfigured":
            check("node_exporter", numeric <= set(seen[minor]), f"{minor}: {sorted(seen[minor])}")


def ganeti():
    version = re.compile(r"^version: (\d+)\.(\d+)\.(\d+)(?:([.-])(\d+))? \(api:(\d+)/proto:(\d+)(?:-(\d+))?\)")
    head = re.compile(r"^ *([0-9]+): *cs:.*$")
    unused = re.compile(r"^\s*([0-9]+):\s*cs:Unconfigured\s*$")
    valid = re.compile(r"^\s*([0-9]+):\s*cs:([^\s]+)\s+(?:st|ro):([^/]+)/([^\s]+)\s+ds:([^/]+)/([^\s]+)\s+.*$")
    synced = re.compile(r"^.*sync'ed: *([0-9.]+)%.*(?:\s|M)finish: *([0-9]+):([0-9]+):([0-9]+)\s.*$")
    lines = text("proc").splitlines()
    check("Ganeti", version.match(lines[0]), lines[0])
    blocks = {}
    minor = None
    for line in lines[1:]:
        if not line:
            continue
        found = head.match(line)
        if found:
            minor = found.group(1)
            blocks[minor] = line
        elif minor is not None:
            blocks[minor] += " " + line.strip()
    for minor, state in expected.items():
        block = blocks.get(minor, "")
        if state["cs"] == "Unconfigured":
            check("Ganeti", unused.match(block), block)
            continue
        found = valid.match(block)
        check("Ganeti", found, block)
        if found:
            own, peer = f"{found.group(3)}/{found.group(4)}", f"{found.group(5)}/{found.group(6)}"
            check("Ganeti", [found.group(2), own, peer] == [state["cs"], state["ro"], state["ds"]], block)
        check("Ganeti", state["cs"] not in ("SyncSource", "SyncTarget") or synced.match(block), block)


def checkmk():
    """Two lines of header; then a device line, fields by name, and its counters in the next line."""
    lines = text("proc").splitlines()[2:]
    found = {}
    for at, line in enumerate(lines):
        words = line.split()
        if words and re.match(r"^[0-9]+:$", words[0]):
            found[words[0][:-1]] = dict(word.split(":") for word in words[1:] if word.count(":") == 1)
            if "Unconfigured" not in line:
                counters = dict(word.split(":") for word in lines[at + 1].split())
                check("Checkmk", "oos" in counters and "ns" in counters, lines[at + 1])
    for minor, state in expected.items():
        for key in ("cs", "ro", "ds"):
            check("Checkmk", key not in state or found.get(minor, {}).get(key) == state[key], f"{minor} {key}: {found}")


def collectd():
    """A counter line has exactly thirteen fields."""
    for line in text("proc").splitlines()[2:]:
        words = line.split()
        if not words or re.match(r"^[0-9]+:$", words[0]):
            continue
        if words[0] == "finish:" or (len(words) > 1 and words[1] == "sync'ed:"):
            continue
        fields = [word for word in words if word.count(":") == 1]
        check("collectd", len(fields) == 13 == len(words), line)


def nagios():
    patterns = [r" ?([0-9]+): cs:([^ ]+) ro:([^ ]+) ds:([^ ]+)", r"^ *(.*): cs:(.*) ro:([^ ]*) ds:([^ ]*) .*$"]
    for minor, state in expected.items():
        if state["cs"] == "Unconfigured":
            continue
        line = next((line for line in text("proc").splitlines() if line.lstrip().startswith(minor + ":")), "")
        for pattern in patterns:
            found = re.search(pattern, line)
            check("check_drbd", found and list(found.groups()) == [minor, state["cs"], state["ro"], state["ds"]], line)
        check("check_drbd with awk", line.split()[1] == "cs:" + state["cs"], line)


def nagios_9():
    """Every value of an event is one word without a colon, but for paths."""
    for line in text("events2").splitlines():
        action, kind, *words = line.split(" ")
        check("nagios_check_drbd9", action == "exists", line)
        if kind in ("-", "path"):
            continue
        for word in words:
            check("nagios_check_drbd9", re.match(r"^[a-z_-]+[0-9]?:[^:]+$", word), f"{word} in: {line}")


def drbdtop():
    required = {
        "resource": ["name", "role", "suspended"],
        "connection": ["name", "peer-node-id", "conn-name", "connection", "role"],
        "device": ["name", "volume", "minor", "disk"],
        "peer-device": ["name", "peer-node-id", "conn-name", "volume", "replication", "peer-disk", "resync-suspended"],
        "path": ["name", "peer-node-id", "conn-name", "local", "peer", "established"],
    }
    seen = set()
    lines = text("events2").splitlines()
    for line in lines:
        _, kind, *words = line.split(" ")
        if kind == "-":
            continue
        keys = [word.split(":", 1)[0] for word in words]
        seen.add(kind)
        check("drbdtop", all(key in keys for key in required.get(kind, [])), line)
    check("drbdtop", lines and lines[-1] == "exists -", f"the last line of {lines}")
    connected = any(state["cs"] != "StandAlone" for state in expected.values())
    check("drbd-reactor", set(required) <= seen or not connected, f"kinds: {seen}")


def ha_cluster_exporter():
    for resource in json.loads(text("status.json")):
        for key in ("name", "role"):
            check("ha_cluster_exporter", isinstance(resource.get(key), str), key)
        for device in resource["devices"]:
            for key in ("volume", "written", "read", "al-writes", "bm-writes", "upper-pending", "lower-pending"):
                check("ha_cluster_exporter", isinstance(device.get(key), int), f"devices {key}")
            check("ha_cluster_exporter", isinstance(device.get("quorum"), bool), "devices quorum")
            check("ha_cluster_exporter", isinstance(device.get("disk-state"), str), "devices disk-state")
        for connection in resource["connections"]:
            check("ha_cluster_exporter", isinstance(connection.get("peer-node-id"), int), "peer-node-id")
            check("ha_cluster_exporter", isinstance(connection.get("peer-role"), str), "peer-role")
            for peer in connection["peer_devices"]:
                for key in ("volume", "received", "sent", "pending", "unacked"):
                    check("ha_cluster_exporter", isinstance(peer.get(key), int), f"peer_devices {key}")
                check("ha_cluster_exporter", isinstance(peer.get("peer-disk-state"), str), "peer-disk-state")
                percent = peer.get("percent-in-sync")
                check("ha_cluster_exporter", isinstance(percent, (int, float)) and 0 <= percent <= 100, str(percent))


def agent():
    """The shell evaluates both."""
    script = text("version") + "\n" + 'echo "$DRBD_KERNEL_VERSION_CODE $DRBDADM_API_VERSION ${DRBDADM_VERSION:?}"'
    out = subprocess.run(["sh", "-euc", script], capture_output=True, text=True)
    check("ocf:linbit:drbd", out.stdout.startswith("0x08040b 1 "), out.stdout + out.stderr)
    script = '_sh_status_process() { echo "$_minor $_cstate $_role/$_peer $_disk/$_pdsk $_resynced_percent"; }\n'
    out = subprocess.run(["sh", "-euc", script + text("sh-status")], capture_output=True, text=True)
    check("sh-status", out.returncode == 0, out.stderr)
    lines = {line.split()[0]: line for line in out.stdout.splitlines()}
    for minor, state in expected.items():
        wanted = f"{minor} {state['cs']} {state.get('ro', '/')} {state.get('ds', '/')}"
        check("sh-status", lines.get(minor, "").startswith(wanted), f"'{lines.get(minor)}' is not '{wanted}'")


for consumer in (node_exporter, ganeti, checkmk, collectd, nagios, nagios_9, drbdtop, ha_cluster_exporter, agent):
    consumer()
for problem in problems:
    print(problem)
sys.exit(1 if problems else 0)
