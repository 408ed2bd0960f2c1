"""Requests at the front door, and past it to the backing registry, for comparison."""

import http.client
import socket
import time
from pathlib import Path

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.support.oci import digest_of
from tests.support.stack import Stack


def bearer(stack: Stack, *scopes: str) -> dict[str, str]:
    """The Authorization header of the administrator's token for these scopes."""
    return {"Authorization": f"Bearer {stack.token(*scopes)}"}


def push_blob(client: httpx.Client, repository: str, data: bytes, headers: dict[str, str]) -> str:
    """POST, then one PUT. Returns the digest."""
    digest = digest_of(data)
    opened = client.post(f"/v2/{repository}/blobs/uploads/", headers=headers)
    assert opened.status_code == 202, opened.text
    location = opened.headers["Location"]
    separator = "&" if "?" in location else "?"
    done = client.put(f"{location}{separator}digest={digest}", headers=headers, content=data)
    assert done.status_code == 201, done.text
    return digest


class DirectRegistry:
    """The stack's registry:2 itself, past gateway and core, with a token it accepts."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def request(
        self, method: str, path: str, repository: str, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, body."""
        connection = http.client.HTTPConnection("registry", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self._stack.run_dir / "registry.sock"))
        authorization = {"Authorization": f"Bearer {self._token(repository)}"}
        connection.request(method, path, headers=authorization | (headers or {}))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body

    def _token(self, repository: str) -> str:
        from auth.keys import key_id

        path: Path = self._stack.data_dir / "keys" / "internal" / "registry.key"
        key = load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        now = int(time.time())
        claims = {
            "iss": "harbor-token-issuer",
            "aud": "harbor-registry",
            "sub": "test",
            "iat": now,
            "nbf": now - 10,
            "exp": now + 300,
            "access": [{"type": "repository", "name": repository, "actions": ["pull", "push"]}],
        }
        return jwt.encode(claims, key, "ES256", {"kid": key_id(key.public_key())})


def raw_request(stack: Stack, request: bytes, seconds: float = 20) -> bytes:
    """Send bytes as they are (paths no client library would send) and return the whole answer."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=seconds) as connection:
        connection.sendall(request)
        chunks = []
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


def raw_get(stack: Stack, path: str, method: str = "GET", *headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request (HTTP/1.0: the body ends with the connection) with the path spelled exactly so. Status, headers in
    lower case, body."""
    lines = [f"{method} {path} HTTP/1.0", f"Host: {stack.registry}", *headers, "", ""]
    head, _, body = raw_request(stack, "\r\n".join(lines).encode("latin-1")).partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    return int(first.split()[1]), fields, body
