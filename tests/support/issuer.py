"""An OpenID Connect issuer: a small https server of its own with discovery document and keys, which signs tokens.

with Issuer() as issuer:
    token = issuer.token(sub="repo:octo/app:ref:refs/heads/main")
    issuer.rotate()
    issuer.down()
"""

import datetime
import ipaddress
import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.support.services import Service, connects, free_port

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
AUDIENCE = "https://registry.example.com"
DISCOVERY = "/.well-known/openid-configuration"
CURVES: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


def make_key(algorithm: str) -> PrivateKey:
    """A private key that signs with this algorithm."""
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(key: PrivateKey, kid: str | None, **more: Any) -> dict[str, Any]:
    match key:
        case rsa.RSAPrivateKey():
            text = RSAAlgorithm.to_jwk(key.public_key())
        case ec.EllipticCurvePrivateKey():
            text = ECAlgorithm.to_jwk(key.public_key())
        case _:
            text = OKPAlgorithm.to_jwk(key.public_key())
    return json.loads(text) | more | ({} if kid is None else {"kid": kid})


class Issuer(Service):
    """Attributes: ``url`` is the issuer, ``certificate`` the PEM of the authority that vouches for its server."""

    def __init__(self) -> None:
        super().__init__("issuer")
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        (self.folder / "site" / ".well-known").mkdir(parents=True)
        self.certificate = self._make_certificate()
        self.mode("ok")
        self.keys: dict[str, PrivateKey] = {"first": make_key("RS256")}
        self.publish()
        self.up()

    # ------------------------------------------------------------------ life
    def up(self) -> None:
        server = str(Path(__file__).with_name("issuer_server.py"))
        argv = [sys.executable, server, str(self.folder), str(self.port)]
        self.spawn(argv, lambda: connects(("127.0.0.1", self.port)))

    def down(self) -> None:
        """The server ends; :meth:`up` starts it again."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def mode(self, mode: str) -> None:
        """How the server answers from now on (tests.support.issuer_server.MODES)."""
        (self.folder / "mode").write_text(mode, encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ------------------------------------------------------------------ what it says
    def publish(self, *, keys: list[dict[str, Any]] | None = None, **discovery: Any) -> None:
        """Write the documents: these keys (its own unless given) and these changes of the discovery document."""
        document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | discovery
        self.write(DISCOVERY, document)
        self.write("/keys", {"keys": self.public_keys if keys is None else keys})

    def write(self, path: str, document: Any) -> None:
        target = self.folder / "site" / path.lstrip("/")
        temporary = target.with_suffix(".new")
        temporary.write_text(json.dumps(document), encoding="utf-8")
        temporary.rename(target)

    @property
    def public_keys(self) -> list[dict[str, Any]]:
        return [public_jwk(key, kid, use="sig") for kid, key in self.keys.items()]

    @property
    def asked(self) -> list[str]:
        """Every path asked for until now."""
        path = self.folder / "asked"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def rotate(self, kid: str = "second", algorithm: str = "RS256") -> None:
        """Sign with a new key; the old one is not published any more."""
        self.keys = {kid: make_key(algorithm)}
        self.publish()

    # ------------------------------------------------------------------ tokens
    def claims(self, **change: Any) -> dict[str, Any]:
        """Of a good token, with these changes; None leaves a claim out."""
        now = int(time.time())
        base = {"iss": self.url, "aud": AUDIENCE, "sub": "repo:octo/app", "iat": now, "nbf": now, "exp": now + 300}
        return {name: value for name, value in (base | change).items() if value is not None}

    def token(
        self,
        *,
        key: PrivateKey | None = None,
        algorithm: str = "RS256",
        header: dict[str, Any] | None = None,
        **change: Any,
    ) -> str:
        """Signed with its newest key unless another is given; ``header`` is put over ``{"kid": ...}``."""
        kid, own = list(self.keys.items())[-1]
        fields = {name: value for name, value in ({"kid": kid} | (header or {})).items() if value is not None}
        payload = json.dumps(self.claims(**change)).encode()  # whatever the claims are
        return jwt.api_jws.encode(payload, key or own, algorithm, {"typ": "JWT"} | fields)

    def _make_certificate(self) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer of the tests")])
        now = datetime.datetime.now(datetime.UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.folder / "server.pem").write_text(private.decode("ascii") + pem, encoding="ascii")
        return pem
