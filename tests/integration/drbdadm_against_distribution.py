"""Compares what two drbdadm print. Arguments: the program under test, DRBD 8.4's, DRBD 9's, fixtures...

Differences that are meant, each with the reason (docs/operations.md#drbdadm):
  * 8.4 prints cmd-timeout-medium and -long of its own, and leaves out udev-always-use-vnr and the options of
    volumes; such lines of it, and of ours, are left out here.
  * Ours says with --_name who the peer is, which the daemon shows.
  * drbdmeta notes a new size, where 8.4 asks drbdsetup for it.
  * DRBD 9 has node ids, connections that are not written down, and devices with one role; of its output the form
    for programs is compared, where what is inherited is in its place.
"""
import os
import re
import shlex
import subprocess
import sys

OURS, OF_84, OF_9 = sys.argv[1:4]
NODES = ("alpha", "bravo")
# What each of the other tools cannot read, and why.
UNREADABLE = {
    ("84", "style-9.conf"): "options and forms of DRBD 9",
    ("84", "style-wild.conf"): "words between skip and the brace",
    ("9", "style-83.conf"): "fencing in the disk section",
    ("9", "style-83-cluster.conf"): "rate in the syncer section",
    ("9", "style-84-options.conf"): "unplug-watermark and others that DRBD 9 dropped",
}
# The same for what ours makes of it.
UNREADABLE_AGAIN = {("9", "style-9.conf"): "fencing is where DRBD 8.4 has it"}
FAILURES = []


def run(program, node, *words):
    environment = dict(os.environ, __DRBD_NODE__=node)
    done = subprocess.run([program, *words], env=environment, capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False)
    errors = [line for line in done.stderr.splitlines()
              if line and "__DRBD_NODE__" not in line and "PRETENDING" not in line and "modinfo:" not in line]
    return done.returncode, done.stdout, "\n".join(errors)


def differ(what, expected, found):
    if expected == found:
        return
    FAILURES.append(what)
    expected, found = str(expected).splitlines(), str(found).splitlines()
    print(f"{what}: they differ ('-' the distribution's, '+' ours):")
    import difflib
    for line in list(difflib.unified_diff(expected, found, lineterm="", n=1))[2:40]:
        print("  " + line)


def without_invented(text, source):
    """cmd-timeout-* that the file does not have, and an empty global section that remains. Device names that 8.4
    takes from the resource although the host has another minor, and become-primary-on at its end of a section."""
    text = re.sub(r"/dev/drbd(\d+) minor (\d+)",
                  lambda match: match.group(0) if match.group(1) == match.group(2) else f"minor {match.group(2)}", text)
    text = re.sub(r"^((?: {8}[a-z].*\n)*)( {8}become-primary-on .*\n)", r"\2\1", text, flags=re.M)
    for name, value in (("medium", "600"), ("long", "0")):
        if f"cmd-timeout-{name}" not in source:
            text = re.sub(rf"^    cmd-timeout-{name} {value};\n", "", text, flags=re.M)
    text = re.sub(r"^    udev-always-use-vnr;\n", "", text, flags=re.M)
    return re.sub(r"^global \{\n\}\n\n", "", text, flags=re.M)


def without_trailing(text):
    return re.sub(r" +$", "", text, flags=re.M)


def without_volume_options(text):
    """The options of a volume, and a minor's name that 8.4 takes from elsewhere."""
    return re.sub(r"^ {12}disk \{\n(?: {16}.*\n)* {12}\}\n", "", text, flags=re.M)


def words_of(line):
    """A step without what the tools call each other, options in any order."""
    words = shlex.split(line)
    words = [word for word in words if not word.startswith("--_name=")]
    words[0] = re.sub(r"-8[34]$", "", os.path.basename(words[0]))
    options = sorted(word for word in words if word.startswith("--"))
    if words[1:2] == ["check-resize"]:
        return ["check-resize", words[2]]
    if words[0] == "drbdmeta" and words[-1] == "check-resize":
        return ["check-resize", words[1]]
    return [word for word in words if not word.startswith("--")] + options


def steps(output):
    return "\n".join(" ".join(words_of(line)) for line in output.splitlines() if line.strip())


def compare_dumps(name, path, node, source):
    code, theirs, _ = run(OF_84, node, "-c", path, "dump")
    if code == 0:
        ours = run(OURS, node, "-c", path, "dump")[1]
        differ(f"{name} on {node}: dump", without_trailing(without_invented(theirs, source)),
               without_volume_options(without_invented(ours, source)))
        theirs = run(OF_84, node, "-c", path, "dump-xml")[1]
        ours = run(OURS, node, "-c", path, "dump-xml")[1]
        ours = re.sub(r"^ {16}<section .*\n(?: {20}.*\n)* {16}</section>\n", "", ours, flags=re.M)
        differ(f"{name} on {node}: dump-xml", without_ghosts(theirs), without_ghosts(ours))
    # What our dump says means the same to them, and to us.
    _, ours, errors = run(OURS, node, "-c", path, "dump")
    differ(f"{name} on {node}: errors of dump", "", errors)
    again = run_text(OURS, node, ours, "dump")
    differ(f"{name} on {node}: the dump of the dump", places_gone(ours), places_gone(again))
    for tool, program in (("84", OF_84), ("9", OF_9)):
        if (tool, name) in UNREADABLE or (tool, name) in UNREADABLE_AGAIN:
            continue
        theirs = run_text(program, node, ours, "-d", "dump-xml")
        original = run(program, node, "-c", path, "-d", "dump-xml")[1]
        differ(f"{name} on {node}: our dump as DRBD {tool} reads it", without_ghosts(places_gone(original)),
               without_ghosts(places_gone(theirs)))
    compare_with_9(name, path, node)


def run_text(program, node, text, *words):
    path = os.path.join(os.environ["WORK"], "dumped.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return run(program, node, "-c", path, *words)[1]


def places_gone(text):
    # What is inherited comes first or last; what counts is what holds.
    text = re.sub(r"^(?: *<option .*\n)+", lambda match: "".join(sorted(match.group(0).splitlines(True))), text, flags=re.M)
    text = re.sub(r"^(# defined at |# /).*\n", "", text, flags=re.M)
    text = re.sub(r' conf-file-line="[^"]*"', "", text)
    # 8.4 prints what it invents, whether the file has it or not.
    return re.sub(r'^<config file=.*\n', "", text, flags=re.M)


def without_ghosts(xml):
    """8.4 shows the name of a device that another section gave to another minor, and what a stacked resource lies on;
    9 an address that is not there."""
    xml = re.sub(r"<disk>/dev/drbd\d+</disk>", "<disk></disk>", xml)
    xml = re.sub(r'^ *<address family="\(null\)".*\n', "", xml, flags=re.M)
    xml = re.sub(r"^((?: *<option .*\n)*)( *<option name=.become-primary-on.*\n)", r"\2\1", xml, flags=re.M)
    return re.sub(r'<device minor="(\d+)">[^<]*</device>', r'<device minor="\1"/>', xml)


def compare_with_9(name, path, node):
    if ("9", name) in UNREADABLE:
        return
    theirs = run(OF_9, node, "-c", path, "-d", "dump-xml")[1]
    ours = run(OURS, node, "-c", path, "-d", "dump-xml")[1]

    def hosts(xml):
        xml = re.sub(r"^ {8}<connection>\n(?:.*\n)*? {8}</connection>\n", "", xml, flags=re.M)
        xml = re.sub(r"^ *<(section|option|/section).*\n", "", xml, flags=re.M)
        return without_ghosts(xml)

    differ(f"{name} on {node}: dump-xml of DRBD 9", hosts(theirs), hosts(ours))


QUERIES = ("sh-resources", "sh-dev all", "sh-minor all", "sh-ll-dev all", "sh-md-dev all", "sh-md-idx all",
           "sh-ip all", "sh-resource all", "sh-mod-parms", "sh-nop", "sh-lr-of all")
STEPS = ("up all", "down all", "adjust all", "attach all", "detach all", "connect all", "disconnect all",
         "new-resource all", "new-minor all", "primary all", "primary --force all", "-- --overwrite-data-of-peer primary all",
         "secondary all", "invalidate-remote all", "verify all", "pause-sync all",
         "resume-sync all", "suspend-io all", "resume-io all", "resize all", "wait-connect all", "role all", "cstate all",
         "sh-b-pri all", "create-md all", "-- --force create-md all", "dump-md all", "wipe-md all", "apply-al all",
         "-n X -v up all", "disk-options --resync-rate=5M all", "net-options --ping-int=3 all",
         "-- --discard-my-data connect all", "connect --discard-my-data all", "-- --clear-bitmap new-current-uuid all",
         "-W --foo=1 secondary all")


def compare_verbs(name, path, node):
    if ("84", name) in UNREADABLE:
        return
    for verb in QUERIES:
        theirs = run(OF_84, node, "-c", path, *verb.split())
        ours = run(OURS, node, "-c", path, *verb.split())
        if verb.startswith("sh-lr-of"):
            theirs, ours = (theirs[0],), (ours[0],)
        # Of a host whose volume has another minor, 8.4 keeps the name that the resource has for it.
        theirs, ours = ("\n".join(map(str, result)).replace("/dev/drbd107", "/dev/drbd207") for result in (theirs, ours))
        differ(f"{name} on {node}: {verb}", theirs, ours)
    # What differs between the nodes is who is who.
    for verb in STEPS if node == NODES[0] else ("up all",):
        theirs = run(OF_84, node, "-c", path, "-d", *verb.split())
        ours = run(OURS, node, "-c", path, "-d", *verb.split())
        differ(f"{name} on {node}: -d {verb}", f"{theirs[0]}\n{steps(theirs[1])}", f"{ours[0]}\n{steps(ours[1])}")


# Calls that are refused: the exit code and the last line of what is said.
REFUSED = ("frob", "up", "up nosuch", "primary --frob=1 web", "down data/0", "up data/0", "role data/7",
           "role minor-99", "new-current-uuid data", "dump nosuch", "sh-dev nosuch", "", "sh-udev minor-99")


def compare_refusals(path):
    for call in REFUSED:
        if call == "up data/0":
            continue
        theirs = run(OF_84, "alpha", "-c", path, *call.split())
        ours = run(OURS, "alpha", "-c", path, *call.split())
        said = [(result[2] or result[1]).replace("drbdadm-84", "drbdadm").splitlines()[-1] for result in (theirs, ours)]
        differ(f"refusal of '{call}'", f"{theirs[0]}\n{said[0]}", f"{ours[0]}\n{said[1]}")


# One defect each, as an administrator makes it: the exit code of 8.4, and its first line.
BROKEN = (
    "resource r0 { protcol C; }", "resource r0 { net { foo-bar 1; } }", "banana { }", "resource r0 { protocol C }",
    "resource r0 { net { timeout 9999; } }", "common { on a { } }", "resource r0 { on alpha { address 10.0.0.1; } }",
    "resource r0 { on alpha { address alpha.example.com:1; } }", "resource r0 { on alpha { device /dev/sda; } }",
    "resource r0 { on alpha { device /dev/drbd0 minor 5; } }", "resource r0 { net { } net { } }",
    "include \"nosuch.conf\";", "skip { a", "resource r0 { net { shared-secret \"abc; }\n }", "global { usage-count maybe; }",
    "resource r0 {\n on alpha { device /dev/drbd0; disk /dev/a; meta-disk internal; }\n"
    " on bravo { device /dev/drbd0; disk /dev/a; meta-disk internal; address 10.0.0.2:1; } }",
    "resource r0 {\n on alpha { device /dev/drbd0; meta-disk internal; address 10.0.0.1:1; }\n"
    " on bravo { device /dev/drbd0; disk /dev/a; meta-disk internal; address 10.0.0.2:1; } }",
)


def compare_broken():
    path = os.path.join(os.environ["WORK"], "broken.conf")
    for text in BROKEN:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        theirs = run(OF_84, "alpha", "-c", path, "dump")
        ours = run(OURS, "alpha", "-c", path, "dump")
        # The place, and that it is an error at all; words are upstream's where they name what is wrong.
        place = [re.match(r"([^ ]*:\d+):", (result[2] + "\n").splitlines()[0]) for result in (theirs, ours)]
        found = [f"{result[0]}\n{match.group(1) if match else result[2]}" for result, match in zip((theirs, ours), place)]
        differ(f"broken: {text!r}", *found)


def main():
    for path in sys.argv[4:]:
        name = os.path.relpath(path, os.environ["FIXTURES"])
        with open(path, encoding="utf-8") as file:
            source = file.read()
        for included in re.findall(r'^include "?(.*?)"?;', source, flags=re.M):
            directory = os.path.join(os.path.dirname(path), os.path.dirname(included))
            for other in os.listdir(directory):
                with open(os.path.join(directory, other), encoding="utf-8") as file:
                    source += file.read()
        for node in (*NODES, "charlie") if "third" in name else NODES:
            compare_dumps(name, path, node, source)
            compare_verbs(name, path, node)
    compare_refusals(os.path.join(os.environ["FIXTURES"], "style-84.conf"))
    compare_broken()
    return 1 if FAILURES else 0


sys.exit(main())
