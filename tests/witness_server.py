"""A witness on loopback that keeps C2SP tlog-witness, and can be told to answer otherwise."""

from __future__ import annotations

import base64
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from audit_helpers import ORIGIN, SIGNER
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from reconciler.audit.codes import ProofError
from reconciler.audit.merkle import EMPTY_ROOT, check_consistency
from reconciler.audit.note import VerifierKey, open_note
from reconciler.audit.witness_policy import Witness
from reconciler.errors import AuditError

SIZE_TYPE = "text/x.tlog.size"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class TestWitness:
    """``answer`` replaces the protocol; ``requests`` are the bodies that came in."""

    __test__ = False
    name: str = "witness.example/w1"
    origin: str = ORIGIN
    seed: bytes = b"w" * 32
    log_keys: list[VerifierKey] = field(default_factory=lambda: [VerifierKey(ORIGIN, SIGNER.public_key)])
    now: Callable[[], float] = time.time
    answer: Callable[[TestWitness, bytes], Answer] | None = None
    head: tuple[int, bytes] = (0, EMPTY_ROOT)
    requests: list[bytes] = field(default_factory=list)
    port: int = 0
    certificate: Path | None = None  # with its key; makes it https
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @property
    def vkey(self) -> str:
        raw = b"\x04" + self.key.public_key().public_bytes_raw()
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(raw).decode()}"

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n\x04" + self.key.public_key().public_bytes_raw()).digest()[:4]

    @property
    def url(self) -> str:
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}/w1"

    @property
    def witness(self) -> Witness:
        return Witness.of(self.vkey, self.url)

    def line(self, text: str, at: int, stated: int | None = None) -> bytes:
        """A signature line made at ``at``, saying ``stated``."""
        signature = self.key.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        value = self.key_id + struct.pack(">Q", at if stated is None else stated) + signature
        return f"— {self.name} {base64.b64encode(value).decode()}\n".encode()

    def respond(self, body: bytes) -> Answer:
        with self.lock:
            self.requests.append(body)
        if self.answer:
            return self.answer(self, body)
        with self.lock:
            return self.by_the_book(body)

    def by_the_book(self, body: bytes) -> Answer:
        header, _, note = body.partition(b"\n\n")
        old_line, *hashes = header.decode().split("\n")
        old, origin = int(old_line.removeprefix("old ")), note.decode().split("\n")[0]
        if origin != self.origin:
            return Answer(404, b"unknown log\n")
        try:
            text = open_note(note, self.log_keys).text
        except AuditError:
            return Answer(403, b"invalid signature\n")
        size, root = int(text.split("\n")[1]), base64.b64decode(text.split("\n")[2])
        if old > size or len(hashes) > 63:
            return Answer(400)
        if old != self.head[0]:
            return Answer(409, b"%d\n" % self.head[0], SIZE_TYPE)
        try:
            check_consistency(old, self.head[1], size, root, [base64.b64decode(line) for line in hashes])
        except ProofError:
            return Answer(422, b"bad consistency proof\n")
        self.head = (size, root)
        return Answer(200, self.line(text, int(self.now())))


def text_of(body: bytes) -> str:
    """The text of the checkpoint in a request."""
    return body.partition(b"\n\n")[2].decode().rpartition("\n\n")[0] + "\n"


def three() -> tuple[TestWitness, ...]:
    return tuple(TestWitness(name=f"witness.example/w{n}", seed=bytes([n]) * 32) for n in (1, 2, 3))


@contextmanager
def serve(*witnesses: TestWitness) -> Iterator[None]:
    """Each on a port of its own."""
    servers = [_start(witness) for witness in witnesses]
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _start(witness: TestWitness) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = witness.respond(body) if self.path == "/w1/add-checkpoint" else Answer(404)
            self.send_response(answer.status)
            for name, value in (("Content-Type", answer.type), *answer.headers):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            try:
                self.wfile.write(answer.body)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    if witness.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(witness.certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    witness.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
