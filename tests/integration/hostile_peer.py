"""A peer that means harm, against the real daemon of this node (see hostile_peer). Each case connects as the
peer would, misbehaves, and then the daemon must still be the same process, answer, and hold little memory."""
import os, random, select, socket, struct, subprocess, sys, time, traceback

BIN, POLLUXD = sys.argv[1], int(sys.argv[2])
CASES = sys.argv[3:]
ROUNDS = int(os.environ.get('ROUNDS', '4'))
LOCAL, PEER = ('127.0.0.1', 7789), ('127.0.0.1', 7790)

DATA, DATA_REPLY, RS_DATA_REPLY, BARRIER, BITMAP, DATA_REQUEST, RS_DATA_REQUEST = 0, 1, 2, 3, 4, 8, 9
PROTOCOL, UUIDS, SIZES, STATE, SYNC_UUID, STATE_CHG_REQ, PING, PING_ACK = 0xb, 0xc, 0xd, 0xe, 0xf, 0x12, 0x13, 0x14
WRITE_ACK, RS_WRITE_ACK, NEG_ACK, NEG_DREPLY, BARRIER_ACK, STATE_CHG_REPLY = 0x16, 0x17, 0x19, 0x1a, 0x1c, 0x1d
RS_IS_IN_SYNC, SYNC_PARAM, COMPRESSED_BITMAP, OUT_OF_SYNC, TRIM = 0x22, 0x23, 0x24, 0x28, 0x31
INITIAL_META, INITIAL_DATA, FEATURES = 0xfff1, 0xfff2, 0xfffe
SYNCER = 2 ** 64 - 1
PRIMARY, SECONDARY = 1, 2
UP_TO_DATE, INCONSISTENT, DISKLESS = 8, 4, 0
WF_REPORT, CONNECTED, AHEAD, SYNC_SOURCE, WF_BITMAP_S = 9, 10, 22, 16, 13


def setup(*words, check=True):
    done = subprocess.run([BIN + '/drbdsetup', *words], capture_output=True, text=True, timeout=20)
    if check and done.returncode != 0:
        raise AssertionError(f'drbdsetup {words}: {done.returncode} {done.stderr}')
    return done.stdout.strip()


def resident_mib():
    with open(f'/proc/{POLLUXD}/statm') as f:
        return int(f.read().split()[1]) * 4096 // 2 ** 20


def until(what, condition, seconds=8):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError('never came true: ' + what)
        time.sleep(0.02)


class Gone(Exception):
    pass


def head80(command, length=0):
    return struct.pack('>IHH', 0x83740267, command, length)


def packet(command, payload=b'', volume=0, length=None):
    return struct.pack('>IHHII', 0x8620ec20, volume, command, len(payload) if length is None else length, 0) + payload


def state_word(role, peer, connection, disk, peer_disk):
    return role | peer << 2 | connection << 4 | disk << 9 | peer_disk << 13


def block(sector, block_id, size, last=0):
    return struct.pack('>Q', sector) + struct.pack('=Q', block_id) + struct.pack('>II', size, last)


def data_head(sector, block_id=7, flags=256):
    return struct.pack('>Q', sector) + struct.pack('=Q', block_id) + struct.pack('>II', 1, flags)


class Peer:
    def __init__(self):
        self.data = self.meta = None
        self.buffers = {}
        self.seen = []

    def sockets(self):
        """Both sockets, as far as their first packets."""
        def reach():
            try:
                self.data = socket.create_connection(LOCAL, 1)
                return True
            except OSError:
                return False
        until('the daemon listens', reach)
        self.data.sendall(head80(INITIAL_DATA))
        self.meta = socket.create_connection(LOCAL, 1)
        self.meta.sendall(head80(INITIAL_META))
        for s in (self.data, self.meta):
            s.settimeout(8)
            self.buffers[s] = b''
        return self

    def features(self):
        self.sockets()
        self.exactly(self.data, 8 + 72)
        self.data.sendall(head80(FEATURES, 72) + struct.pack('>III', 86, 0, 101) + bytes(60))
        return self

    def parameters(self, disk=UP_TO_DATE, role=SECONDARY, uuids=(0x1112, 0, 0, 0), connection=WF_REPORT, sectors=65536):
        """Everything a peer says of itself in the beginning."""
        self.features()
        self.tell(PROTOCOL, struct.pack('>IIIIII', 3, 0, 0, 0, 0, 0) + b'\0')
        self.tell(SIZES, struct.pack('>QQQIHH', sectors, 0, sectors, 1 << 20, 0, 0))
        if uuids:
            self.tell(UUIDS, struct.pack('>QQQQQQ', *uuids, 0, 0))
        self.tell(STATE, struct.pack('>I', state_word(role, 0, connection, disk, 6)))
        return self

    def tell(self, command, payload=b'', **more):
        self.data.sendall(packet(command, payload, **more))

    def tell_meta(self, command, payload=b'', **more):
        self.meta.sendall(packet(command, payload, **more))

    def exactly(self, s, count):
        while len(self.buffers[s]) < count:
            got = s.recv(65536)
            if not got:
                raise Gone()
            self.buffers[s] += got
        taken, self.buffers[s] = self.buffers[s][:count], self.buffers[s][count:]
        return taken

    def next_packet(self, s):
        _, _, command, length, _ = struct.unpack('>IHHII', self.exactly(s, 16))
        return command, self.exactly(s, length)

    def serve(self, done, seconds=8):
        """A well-behaved peer as far as pings and state changes go, until `done(command, payload)`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ready = [s for s in (self.data, self.meta) if len(self.buffers[s]) >= 16]
            ready = ready or select.select([self.data, self.meta], [], [], 0.1)[0]
            if not ready and done(None, b''):
                return
            for s in ready:
                command, payload = self.next_packet(s)
                if command == PING:
                    self.tell_meta(PING_ACK)
                elif command == STATE_CHG_REQ:
                    self.tell_meta(STATE_CHG_REPLY, struct.pack('>i', 1))
                if done(command, payload):
                    return
        raise AssertionError('the daemon did not say what was expected')

    def expect_gone(self, seconds=8):
        """Both sockets are closed; what still comes is read away."""
        end = time.monotonic() + seconds
        for s in (self.data, self.meta):
            s.settimeout(0.2)
            while True:
                try:
                    if not s.recv(65536):
                        break
                except socket.timeout:
                    if time.monotonic() > end:
                        raise AssertionError('the daemon keeps the connection') from None
                except OSError:
                    break

    def flood(self, s, chunk, most=256 << 20):
        """Sends without ever reading until the daemon takes no more, or has taken `most` bytes."""
        s.settimeout(0.5)
        sent = 0
        try:
            while sent < most:
                sent += s.send(chunk)
        except OSError:
            pass
        return sent

    def close(self):
        for s in (self.data, self.meta):
            if s:
                s.close()


# --- before the handshake -------------------------------------------------------------------------------------

def first_packet_is_garbage(p):
    for junk in (b'GET / HTTP/1.0\r\n\r\n', bytes(64), head80(INITIAL_DATA, 9), os.urandom(4096)):
        until('the daemon listens', lambda: probe(junk))


def probe(junk):
    try:
        with socket.create_connection(LOCAL, 1) as s:
            s.sendall(junk)
        return True
    except OSError:
        return False


def silence_after_connecting(p):
    with socket.create_connection(LOCAL, 1) as s:
        s.settimeout(8)
        assert s.recv(1) == b'', 'a silent connection is given up'
    p.features()  # and the real peer comes through


def features_are_garbage(p):
    p.sockets()
    p.data.sendall(os.urandom(4096))
    p.expect_gone()


def features_are_absurdly_long(p):
    p.sockets()
    p.data.sendall(struct.pack('>HHI', 0x835a, FEATURES, 2 ** 32 - 1))
    p.expect_gone()


def features_never_end(p):
    p.sockets()
    p.data.sendall(head80(FEATURES, 72) + bytes(10))
    p.expect_gone()


def garbage_after_features(p):
    p.features()
    p.data.sendall(os.urandom(65536))
    p.expect_gone()


# --- the wrong thing at the wrong time ------------------------------------------------------------------------

def data_before_the_parameters(p):
    p.features()
    p.tell(DATA, data_head(0) + bytes(4096))
    p.expect_gone()


def data_of_a_secondary(p):
    p.parameters()
    p.tell(DATA, data_head(0) + b'x' * 4096)
    p.expect_gone()


def trim_of_a_secondary(p):
    p.parameters()
    p.tell(TRIM, data_head(0) + struct.pack('>I', 4096))
    p.expect_gone()


def beyond_the_end(p):
    for send in (lambda: p.tell(DATA, data_head(2 ** 55) + bytes(4096)),
                 lambda: p.tell(DATA, data_head(2 ** 64 - 8) + bytes(4096)),
                 lambda: p.tell(TRIM, data_head(0) + struct.pack('>I', 2 ** 32 - 512)),
                 lambda: p.tell(DATA_REQUEST, block(2 ** 60, 1, 4096)),
                 lambda: p.tell(DATA_REQUEST, block(0, 1, 2 ** 31)),
                 lambda: p.tell(DATA_REQUEST, block(0, 1, 0)),
                 lambda: p.tell(OUT_OF_SYNC, struct.pack('>QII', 2 ** 50, 4096, 0))):
        again(p).parameters(role=PRIMARY)
        send()
        p.expect_gone()


def lengths_that_lie(p):
    for command, length in ((DATA, 24), (DATA, 2 ** 32 - 1), (STATE, 5), (UUIDS, 0), (BITMAP, 70000),
                            (PROTOCOL, 4000), (0x4242, 0), (SIZES, 31), (RS_DATA_REPLY, 24)):
        again(p).features()
        p.tell(command, bytes(64), length=length)
        p.expect_gone()


def acks_for_nothing(p):
    for command, payload in ((WRITE_ACK, block(0, 99, 4096)), (NEG_ACK, block(0, 0, 512)),
                             (BARRIER_ACK, struct.pack('>II', 1, 1)), (NEG_DREPLY, block(0, 5, 4096)),
                             (STATE_CHG_REPLY, struct.pack('>i', 1)), (WRITE_ACK, block(2 ** 63, 1, 4096))):
        again(p).parameters()
        p.tell_meta(command, payload)
        p.expect_gone()


def bitmap_that_nobody_asked_for(p):
    for command in (BITMAP, COMPRESSED_BITMAP):
        again(p).parameters(disk=DISKLESS, uuids=None)
        p.tell(command, os.urandom(4000))
        p.expect_gone()


def replies_that_nobody_asked_for(p):
    for command in (DATA_REPLY, RS_DATA_REPLY):
        again(p).parameters()
        p.tell(command, data_head(0, SYNCER) + bytes(4096))
        p.expect_gone()


def another_protocol(p):
    p.parameters()
    p.tell(PROTOCOL, struct.pack('>IIIIII', 1, 9, 9, 9, 9, 9) + b'md5\0')
    p.expect_gone()
    until('StandAlone', lambda: setup('cstate', '0') == 'StandAlone')


def states_without_meaning(p):
    generator = random.Random(1)
    for _ in range(ROUNDS):
        again(p).parameters(disk=DISKLESS, uuids=None)
        try:
            for _ in range(300):
                p.tell(STATE, struct.pack('>I', generator.getrandbits(20)))
                p.tell(STATE_CHG_REQ, struct.pack('>II', generator.getrandbits(17), generator.getrandbits(17)))
        except OSError:
            pass


def a_target_of_nothing(p):
    p.parameters(uuids=None, connection=AHEAD)
    try:
        p.tell(STATE, struct.pack('>I', state_word(PRIMARY, SECONDARY, AHEAD, UP_TO_DATE, INCONSISTENT)))
        p.tell(SYNC_UUID, struct.pack('>Q', 42))
        p.serve(lambda command, _: command == RS_DATA_REQUEST, 1)
    except (OSError, Gone, AssertionError):
        pass


def random_packets(p):
    generator = random.Random(2)
    commands = list(range(0, 0x37)) + [FEATURES]
    for _ in range(ROUNDS):
        again(p).parameters(role=generator.choice((PRIMARY, SECONDARY)))
        try:
            for _ in range(60):
                size = generator.choice((0, 4, 8, 16, 24, 28, 32, 48, 148, 24 + 512))
                payload = bytearray(generator.randbytes(size))
                if size >= 8:
                    payload[0:6] = bytes(6)  # often a sector within the device
                s = generator.choice((p.data, p.data, p.meta))
                s.sendall(packet(generator.choice(commands), bytes(payload)))
        except OSError:
            pass


# --- as a sync source and as the only one with a disk -----------------------------------------------------------

def become_source(p):
    """The daemon, Inconsistent, becomes our sync target; returns its first request: sector, bytes."""
    wanted = {}

    def first(command, payload):
        if command == SIZES:
            wanted['sectors'] = struct.unpack('>Q', payload[:8])[0]
        if command == BITMAP or command == COMPRESSED_BITMAP:
            wanted['bitmap'] = True
        if command == RS_DATA_REQUEST:
            wanted['sector'] = struct.unpack('>Q', payload[:8])[0]
            wanted['bytes'] = struct.unpack('>I', payload[16:20])[0]
        return 'sector' in wanted
    p.parameters(role=PRIMARY)
    p.serve(lambda *seen: first(*seen) or ('sectors' in wanted and setup('cstate', '0') == 'WFBitMapT'))
    left = (wanted['sectors'] + 511) // 512 * 8
    while left > 0:
        p.tell(BITMAP, b'\xff' * min(left, 4080))
        left -= 4080
    p.tell(BITMAP)  # the end
    p.serve(lambda command, payload: first(command, payload) or setup('cstate', '0') == 'WFSyncUUID')
    p.tell(SYNC_UUID, struct.pack('>Q', 0x2222))
    p.serve(first)
    return wanted['sector'], wanted['bytes']


def a_resync_block_answered_twice(p):
    sector, size = become_source(p)
    reply = packet(RS_DATA_REPLY, data_head(sector, SYNCER) + b'r' * size)
    p.data.sendall(reply[:-100])
    time.sleep(0.2)
    p.tell_meta(RS_IS_IN_SYNC, block(sector, SYNCER, size))
    time.sleep(0.2)
    p.data.sendall(reply[-100:])
    p.expect_gone()


def a_size_that_changes_during_a_resync(p):
    sector, size = become_source(p)
    for sectors in (8, 4096, 2 ** 40, 16384):
        p.tell(SIZES, struct.pack('>QQQIHH', sectors, 0, sectors, 1 << 20, 0, 0))
    reply = packet(RS_DATA_REPLY, data_head(sector, SYNCER) + b'r' * size)
    try:
        p.data.sendall(reply)
        p.serve(lambda *_: False, 0.5)
    except (OSError, Gone, AssertionError):
        pass


def a_bitmap_without_end(p):
    p.parameters(role=PRIMARY)
    until('WFBitMapT', lambda: setup('cstate', '0') == 'WFBitMapT')
    try:
        for _ in range(4096):
            p.tell(BITMAP, b'\xff' * 4080)
    except OSError:
        pass
    p.expect_gone()


# --- more than it is given --------------------------------------------------------------------------------------

def as_primary(p):
    """The daemon is our sync target: it takes writes."""
    become_source(p)


def flood_of_trims(p):
    as_primary(p)
    p.flood(p.data, packet(TRIM, data_head(0) + struct.pack('>I', 4096)) * 1000)


def flood_of_writes(p):
    as_primary(p)
    p.flood(p.data, packet(DATA, data_head(0) + bytes(512)) * 200)


def flood_of_pings(p):
    p.parameters()
    p.flood(p.meta, packet(PING) * 1000)


def flood_of_reads(p):
    p.parameters(role=PRIMARY)
    p.flood(p.data, packet(DATA_REQUEST, block(0, 1, 4096)) * 1000)


def flood_of_state_requests(p):
    p.parameters(disk=DISKLESS, uuids=None)
    one = [packet(STATE_CHG_REQ, struct.pack('>II', 3, role)) for role in (PRIMARY, SECONDARY)]
    p.flood(p.data, b''.join(one) * 1000, 64 << 20)


def a_read_answered_twice(p):
    setup('detach', '0')
    p.parameters(sectors=16384)
    p.serve(lambda *_: setup('dstate', '0') == 'Diskless/UpToDate')
    promotion = subprocess.Popen([BIN + '/drbdsetup', 'primary', '0'])
    p.serve(lambda *_: promotion.poll() is not None)
    assert promotion.returncode == 0
    reader = subprocess.Popen(['nbdcopy', 'nbd+unix:///?socket=/run/pollux/nbd/r0-0.sock', 'null:'],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    asked = []

    def is_read(command, payload):
        if command == DATA_REQUEST:
            asked.append(payload)
        return command == DATA_REQUEST
    p.serve(is_read)
    sector, size = struct.unpack('>Q', asked[0][:8])[0], struct.unpack('>I', asked[0][16:20])[0]
    block_id = struct.unpack('=Q', asked[0][8:16])[0]
    reply = packet(DATA_REPLY, data_head(sector, block_id) + b'r' * size)
    p.data.sendall(reply[:-4096])
    time.sleep(0.2)
    p.tell_meta(NEG_DREPLY, block(sector, block_id, size))
    time.sleep(0.2)
    try:
        p.data.sendall(reply[-4096:])
    except OSError:
        pass
    p.expect_gone()
    p.close()
    setup('disconnect', 'r0', '--force')
    reader.wait(10)


def again(p):
    p.close()
    p.buffers = {}
    setup('disconnect', 'r0', '--force')
    connect()
    return p


def connect():
    setup('connect', 'r0', '%s:%d' % LOCAL, '%s:%d' % PEER, '--connect-int=1', '--ping-timeout=1',
          '--protocol=C')


def disk_of(path='/dev/disk0'):
    with open(path, 'rb') as f:
        return f.read(8 << 20)


# What these do is no write of a Primary: not one byte of the data may change.
HARMLESS = [first_packet_is_garbage, silence_after_connecting, features_are_garbage, features_are_absurdly_long,
            features_never_end, garbage_after_features, data_before_the_parameters, data_of_a_secondary,
            trim_of_a_secondary, beyond_the_end, lengths_that_lie, acks_for_nothing, bitmap_that_nobody_asked_for,
            replies_that_nobody_asked_for, another_protocol, states_without_meaning, flood_of_pings,
            flood_of_state_requests, a_bitmap_without_end, a_resync_block_answered_twice]
OTHERS = [a_target_of_nothing, a_size_that_changes_during_a_resync, flood_of_reads, flood_of_trims,
          flood_of_writes, random_packets, a_read_answered_twice]


def reset():
    """The disk as new, Inconsistent; connecting."""
    setup('down', 'r0')
    subprocess.run([BIN + '/drbdmeta', '--force', '0', 'v08', '/dev/disk0', 'internal', 'create-md'],
                   check=True, capture_output=True)
    setup('new-resource', 'r0')
    setup('new-minor', 'r0', '0', '0')
    setup('attach', '0', '/dev/disk0', '/dev/disk0', 'internal')
    connect()


def run(case):
    reset()
    before = disk_of() if case in HARMLESS else None
    peer = Peer()
    try:
        case(peer)
    finally:
        peer.close()
    if not os.path.exists(f'/proc/{POLLUXD}/exe'):
        raise AssertionError('the daemon died')
    setup('status')
    if before is not None and disk_of() != before:
        raise AssertionError('data was changed')
    if LIMIT and resident_mib() > LIMIT:
        raise AssertionError(f'the daemon holds {resident_mib()} MiB')


LIMIT = int(os.environ.get('LIMIT_MIB', '0'))
failed = False
for case in HARMLESS + OTHERS:
    if CASES and case.__name__ not in CASES:
        continue
    began = time.monotonic()
    try:
        run(case)
    except Exception as problem:  # one line per case is what a reader needs
        print(f'{case.__name__}: {type(problem).__name__} {problem}')
        if os.environ.get("VERBOSE"):
            traceback.print_exc()
        failed = True
        if not os.path.exists(f'/proc/{POLLUXD}/exe'):
            sys.exit(1)
    if os.environ.get('VERBOSE'):
        print(f'{case.__name__}: {time.monotonic() - began:.1f} s, {resident_mib()} MiB')
sys.exit(1 if failed else 0)
