"""Sits at drbdmon's terminal, on the node where it runs (tests/integration/drbdmon)."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time


class Seat:
    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        self.width = 100
        self.resize()
        self.before = termios.tcgetattr(self.theirs)
        self.seen = b""
        self.child = subprocess.Popen(
            ["drbdmon"], stdin=self.theirs, stdout=self.theirs, stderr=self.theirs,
            start_new_session=True, env=dict(os.environ, TERM="xterm"))

    def resize(self):
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, self.width, 0, 0))

    def read(self, quiet):
        text = b""
        while select.select([self.ours], [], [], quiet)[0]:
            text += os.read(self.ours, 65536)
        self.seen += text
        return text

    def screen(self):
        """Only what changed is sent to a terminal; after a change of its size that is everything."""
        self.read(0)
        self.width = 201 - self.width
        self.resize()
        text = self.read(0.35).decode("ascii")
        if "\x1b[2J" in text:
            text = text[text.rindex("\x1b[2J"):]
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()=>][0-9AB]?", " ", text)

    def wait_for(self, *words):
        deadline = time.monotonic() + 15
        while True:
            text = self.screen()
            if all(word in text for word in words):
                return text
            if time.monotonic() > deadline or self.child.poll() is not None:
                sys.exit(f"never on the screen: {words}, but: {text}")

    def press(self, keys):
        os.write(self.ours, keys.encode())


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def role():
    return subprocess.run(["drbdadm", "role", "r0"], check=True, capture_output=True, text=True).stdout.strip()


def main():
    seat = Seat()
    seat.wait_for("r0", "Secondary/Secondary", "Inconsistent/Inconsistent")
    run("drbdadm", "primary", "--force", "r0")
    seat.wait_for("Primary/Secondary", "SyncSource", "UpToDate/Inconsistent", "MiB/s", "left")
    seat.press("sn")
    seat.wait_for("Primary/Secondary", "quit")
    if role() != "Primary/Secondary":
        sys.exit("a command that was not confirmed has been run")
    seat.press("s")
    seat.wait_for("drbdadm", "secondary", "runs")
    seat.press("y")
    seat.wait_for("drbdadm", "exit", "code", "0")
    if role() != "Secondary/Secondary":
        sys.exit(f"still {role()}")
    seat.press("\r")
    seat.wait_for("r0", "Secondary/Secondary", "Primary->Secondary")
    seat.press("\r")
    seat.wait_for("disk", "/dev/disk0", "10.77.0.2:7789")
    seat.press("q")
    run("drbdsetup", "shutdown")
    seat.wait_for("trying", "again")
    run("drbdadm", "up", "r0")
    seat.wait_for("r0", "Secondary/Secondary")
    seat.press("q")
    try:
        code = seat.child.wait(10)
    except subprocess.TimeoutExpired:
        sys.exit("q does not end it")
    seat.read(0.1)
    if code != 0:
        sys.exit(f"exit code {code}")
    if termios.tcgetattr(seat.theirs) != seat.before:
        sys.exit("the terminal is not as it was")
    if b"\x1b[?1049l" not in seat.seen[-200:]:
        sys.exit(f"the screen is not given back: {seat.seen[-200:]}")


main()
