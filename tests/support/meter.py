"""A door of TCP in front of a server: it lets everything through and counts the bytes."""

import contextlib
import socket
import threading
from typing import Self

PIECE = 64 * 1024


class Meter:
    """``sent`` counts bytes to the server, ``received`` those from it. ``url`` is the way through."""

    def __init__(self, host: str, port: int) -> None:
        self.sent = self.received = 0
        self._server = (host, port)
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # the listener was closed
                return
            server = socket.create_connection(self._server)
            for end in (client, server):  # what is counted has nearly arrived
                for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                    end.setsockopt(socket.SOL_SOCKET, buffer, PIECE)
            for source, target, name in ((client, server, "sent"), (server, client, "received")):
                threading.Thread(target=self._carry, args=(source, target, name), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, name: str) -> None:
        with contextlib.suppress(OSError):  # either side may be killed
            while piece := source.recv(PIECE):
                with self._lock:
                    setattr(self, name, getattr(self, name) + len(piece))
                target.sendall(piece)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
