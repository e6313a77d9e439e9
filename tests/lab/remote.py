#!/usr/bin/python3
"""Commands of the machine, run in the guest: over TCP, without ssh.

remote.py serve PORT                 in the guest, as long as it lives
remote.py call ADDRESS PORT COMMAND  on the machine; standard input is passed on when it is a file or a pipe;
                                     output and exit status are the command's; 255 when the guest does not answer

A request is one JSON line {"argv", "input": bytes that follow}; the answer one JSON line {"status", "out", "err": bytes that
follow}. A command whose caller has gone is killed with all that it started.
"""

import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading


def read_exactly(stream, count):
    data = stream.read(count)
    if len(data) != count:
        raise ConnectionError("cut short")
    return data


def run(connection, stream):
    request = json.loads(stream.readline())
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(read_exactly(stream, request["input"]))
        given.seek(0)
        try:
            child = subprocess.Popen(request["argv"], stdin=given, stdout=out, stderr=err, start_new_session=True)
        except OSError as problem:
            text = f"{problem}\n".encode()
            connection.sendall(json.dumps({"status": 127, "out": 0, "err": len(text)}).encode() + b"\n" + text)
            return
        ended = os.pidfd_open(child.pid)
        ready, _, _ = select.select([ended, connection], [], [])
        os.close(ended)
        if connection in ready and ended not in ready:
            os.killpg(child.pid, signal.SIGKILL)
        status = child.wait()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
        header = {"status": status if status >= 0 else 128 - status, "out": len(texts[0]), "err": len(texts[1])}
        connection.sendall(json.dumps(header).encode() + b"\n" + texts[0] + texts[1])


def serve_one(connection):
    with connection, connection.makefile("rb") as stream:
        try:
            run(connection, stream)
        except (OSError, ValueError, KeyError) as problem:
            print(f"remote.py: {problem}", file=sys.stderr)


def serve(port):
    listener = socket.create_server(("", port))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_one, args=(connection,), daemon=True).start()


def standard_input():
    mode = os.fstat(0).st_mode
    return sys.stdin.buffer.read() if stat.S_ISREG(mode) or stat.S_ISFIFO(mode) else b""


def call(address, port, argv):
    given = standard_input()
    try:
        with socket.create_connection((address, port), timeout=5) as connection, connection.makefile("rb") as stream:
            connection.settimeout(None)
            connection.sendall(json.dumps({"argv": argv, "input": len(given)}).encode() + b"\n" + given)
            header = json.loads(stream.readline())
            out = read_exactly(stream, header["out"])
            err = read_exactly(stream, header["err"])
    except (OSError, ValueError) as problem:
        print(f"the guest does not answer: {problem}", file=sys.stderr)
        return 255
    sys.stdout.buffer.write(out)
    sys.stdout.flush()
    sys.stderr.buffer.write(err)
    return header["status"]


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    sys.exit(call(sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
