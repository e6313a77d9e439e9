#!/usr/bin/env python3
"""events2.py EVENTS STATUS: applies recorded lines of events2 to a model, as programs that follow them do, and says what
the model and the output of `drbdsetup status --json` do not agree about. Lines that nobody could parse end it."""
import json
import re
import sys

KINDS = {  # identifying keys, in order
    "resource": ["name"],
    "connection": ["name", "peer-node-id", "conn-name"],
    "device": ["name", "volume", "minor"],
    "peer-device": ["name", "peer-node-id", "conn-name", "volume"],
    "path": ["name", "peer-node-id", "conn-name", "local", "peer"],
    "helper": ["name", "peer-node-id", "conn-name"],
}
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d "
LINE = re.compile(TIME + r"(exists|create|change|destroy|call|response) ([a-z-]+)((?: [a-z0-9_-]+:[^ ]+)+)$")
WORD = re.compile(r" ([a-z0-9_-]+):([^ ]+)")


def fail(text):
    sys.exit("events2.py: " + text)


def model_of(lines):
    model, dumped, calls = {}, False, 0
    for line in lines:
        if re.match(TIME + r"exists -$", line):
            dumped = True
            continue
        match = LINE.match(line) or fail(f"no event: {line}")
        action, kind, words = match.groups()
        pairs = WORD.findall(words)
        wanted = KINDS.get(kind) or fail(f"no kind: {line}")
        keys = [key for key, _ in pairs]
        if keys[: len(wanted)] != wanted or len(set(keys)) != len(keys):
            fail(f"keys: {line}")
        if kind == "helper":
            calls += {"call": 1, "response": -1}[action]
            if (action == "response") != (keys[-1] == "status"):
                fail(f"helper: {line}")
            continue
        # A connection of 8.4 is one per resource; what is behind the identifying keys are values.
        identity = (kind,) + tuple(value for _, value in pairs[: len(wanted)])
        values = dict(pairs[len(wanted):])
        if (action == "exists") == dumped:
            fail(f"not where it belongs: {line}")
        if (action in ("change", "destroy")) != (identity in model):
            fail(f"{action} of what is{'' if identity in model else ' not'} there: {line}")
        if action == "destroy":
            if values:
                fail(f"values: {line}")
            del model[identity]
        elif action == "change":
            if not values:
                fail(f"nothing changed: {line}")
            model[identity].update(values)
        else:
            model[identity] = values
    if calls != 0:
        fail(f"{calls} handlers did not respond")
    return model


def pick(values, keys):
    return {key: values[key] for key in keys}


def from_status(status):
    model = {}
    for res in status:
        name = res["name"]
        reasons = [r for r in ("user", "no-data", "fencing") if res["suspended-" + r]]
        model["resource", name] = {"role": res["role"], "suspended": ",".join(reasons) or "no"}
        for dev in res["devices"]:
            model["device", name, str(dev["volume"]), str(dev["minor"])] = {"disk": dev["disk-state"]}
        for con in res["connections"]:
            ids = (name, str(con["peer-node-id"]), con["name"])
            model[("connection",) + ids] = {"connection": con["connection-state"], "role": con["peer-role"]}
            for dev in con["peer_devices"]:
                model[("peer-device",) + ids + (str(dev["volume"]),)] = {
                    "replication": dev["replication-state"],
                    "peer-disk": dev["peer-disk-state"],
                    "resync-suspended": dev["resync-suspended"],
                }
            for path in con["paths"]:
                ends = [path[end] for end in ("this_host", "remote_host")]
                ends = tuple(f"{end['family']}:{end['address']}:{end['port']}" for end in ends)
                model[("path",) + ids + ends] = {"established": "yes" if path["established"] else "no"}
    return model


def main():
    with open(sys.argv[1]) as events, open(sys.argv[2]) as status:
        known, wanted = model_of(events.read().splitlines()), from_status(json.load(status))
    if set(known) != set(wanted):
        fail(f"objects: {sorted(set(known) ^ set(wanted))}")
    for identity, values in wanted.items():
        if pick(known[identity], values) != values:
            fail(f"{identity}: told {known[identity]}, is {values}")


main()
