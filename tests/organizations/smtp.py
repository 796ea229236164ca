"""An SMTP server in this process (RFC 5321), as strict as real ones: it refuses whom it is told to, and hangs up
where it is told to."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast


@dataclass
class Outbox:
    """What arrived, and how the next recipients are answered."""

    port: int = 0
    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)  # (recipient, mail)
    refused: dict[str, str] = field(default_factory=dict)  # recipient -> answer
    cuts: int = 0  # mails whose answer never comes, although they are there

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for recipient, mail in self.mails if recipient == address]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    outbox: Outbox


class _Line(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.recipient = ""
        with suppress(ConnectionError):
            self._say("220 mail.test ESMTP")
            while line := self.rfile.readline(1_000).decode().strip():
                if not self._answered(line):
                    return

    def _answered(self, line: str) -> bool:
        verb = line[:4].upper()
        if verb == "QUIT":
            self._say("221 bye")
        elif verb == "RCPT":
            self._recipient(line.partition("<")[2].partition(">")[0])
        elif verb == "DATA":
            return self._mail()
        else:
            known = verb in ("EHLO", "HELO", "MAIL", "RSET", "NOOP")
            self._say("250 mail.test" if known else "502 5.5.1 not here")
        return verb != "QUIT"

    def _recipient(self, address: str) -> None:
        answer = self._outbox.refused.get(address, "")
        self.recipient = "" if answer else address
        self._say(answer or "250 2.1.5 ok")

    def _mail(self) -> bool:
        if not self.recipient:
            self._say("503 5.5.1 whom for?")
            return True
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        mail = message_from_bytes(b"".join(lines), policy=policy.default)
        self._outbox.mails.append((self.recipient, mail))
        if self._outbox.cuts:
            self._outbox.cuts -= 1
            return False
        self._say("250 2.0.0 taken")
        return True

    @property
    def _outbox(self) -> Outbox:
        return cast("_Server", self.server).outbox

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def running() -> Iterator[Outbox]:
    with _Server(("127.0.0.1", 0), _Line) as server:
        server.outbox = Outbox(port=server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server.outbox
        server.shutdown()
        thread.join()
