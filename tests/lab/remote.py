#!/usr/bin/python3
"""Runs commands of the machine in the guest: over TCP, without ssh. The other end is the script call.

remote.py PORT     as long as the guest lives

A request is a line "WORDS_BYTES INPUT_BYTES", the words of the command, each with a NUL behind it, and what is its standard
input. The answer is a line "STATUS OUTPUT_BYTES ERROR_BYTES" and both texts. A command whose caller has gone is killed with
all that it started. `cat FILE` needs no process: it is what scenarios ask most.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading


def read_exactly(stream, count):
    data = stream.read(count)
    if len(data) != count:
        raise ConnectionError("cut short")
    return data


def answer(connection, status, out, err):
    connection.sendall(b"%d %d %d\n" % (status, len(out), len(err)) + out + err)


def run(connection, stream):
    words_bytes, input_bytes = map(int, stream.readline().split())
    words = read_exactly(stream, words_bytes).split(b"\0")[:-1]
    given_bytes = read_exactly(stream, input_bytes)
    try:
        if len(words) == 2 and words[0] == b"cat":
            with open(words[1], "rb") as file:
                text = file.read()
            answer(connection, 0, text, b"")
            return
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(given_bytes)
            given.seek(0)
            child = subprocess.Popen(words, stdin=given, stdout=out, stderr=err, start_new_session=True)
            status = watch(connection, child)
            out.seek(0)
            err.seek(0)
            answer(connection, status, out.read(), err.read())
    except OSError as problem:
        answer(connection, 127, b"", f"{problem}\n".encode())


def watch(connection, child):
    ended = os.pidfd_open(child.pid)
    ready, _, _ = select.select([ended, connection], [], [])
    os.close(ended)
    if connection in ready and ended not in ready:
        os.killpg(child.pid, signal.SIGKILL)
    status = child.wait()
    return status if status >= 0 else 128 - status


def serve_one(connection):
    with connection, connection.makefile("rb") as stream:
        try:
            run(connection, stream)
        except (OSError, ValueError) as problem:
            print(f"remote.py: {problem}", file=sys.stderr)


def serve(port):
    listener = socket.create_server(("", port))
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve_one, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
