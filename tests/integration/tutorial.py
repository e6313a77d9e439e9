"""tutorial.py list FILE: the sessions of a document, NUL after each: node, command, what it is to print.
tutorial.py compare EXPECTED ACTUAL: whether a command printed what the document says."""
import re
import sys


def sessions(path):
    inside, shown, begun, found = False, True, False, []
    with open(path) as file:
        for line in file:
            line = line.rstrip("\n")
            if line.startswith("```"):
                inside, shown, begun = not inside, True, False
                continue
            # A block that begins without a prompt is a file, or done by the machine that has both nodes.
            shown = shown and (begun or not line.startswith(("resource ", "# ")))
            if not inside or not shown:
                continue
            prompt = re.match(r"^(alfa|bravo)# (.*)$", line)
            begun = begun or prompt is not None
            if prompt:
                found.append([prompt.group(1), prompt.group(2), ""])
            elif found:
                found[-1][2] += line + "\n"
    return found


def lines(path):
    with open(path) as file:
        return [line.rstrip() for line in file if line.strip()]


if sys.argv[1] == "list":
    for session in sessions(sys.argv[2]):
        sys.stdout.write("".join(field + "\0" for field in session))
else:
    expected, actual = lines(sys.argv[2]), lines(sys.argv[3])
    # Two streams arrive in any order; a line of dots stands for any others.
    some = any(line.strip() == "…" for line in expected)
    wanted = sorted(line for line in expected if line.strip() != "…")
    missing = [line for line in wanted if line not in actual]
    extra = [] if some else [line for line in actual if line not in wanted]
    for line in missing:
        print("not printed: " + line)
    for line in extra:
        print("not in the document: " + line)
    sys.exit(1 if missing or extra else 0)
