"""Keys of the token service.

Two kinds, both EC P-256 (ES256):

* ``<KEY_DIR>/token/*.pem``: keys for the tokens clients carry. Only core verifies them; the newest signs, all are
  accepted, so keys rotate without logging anyone out. Running processes notice a new file within seconds.
* ``<KEY_DIR>/internal/registry.{key,crt}``: the one key registry:2 trusts, used for narrow tokens that core hands the
  gateway. registry:2 reads it at start only, so it never rotates with the others.
"""

import base64
import hashlib
import os
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings

ALGORITHM = "ES256"
RELOAD_SECONDS = 5.0


def key_id(public_key: ec.EllipticCurvePublicKey) -> str:
    """libtrust's fingerprint: first 240 bits of SHA-256 over the DER public key, base32 in groups of four."""
    der = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(der).digest()[:30]).decode()
    return ":".join(text[i : i + 4] for i in range(0, len(text), 4))


def _write_private(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def create_token_key(key_dir: Path) -> Path:
    """Write a new signing key; its name sorts after every earlier one. Returns the file."""
    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ") + ".pem"
    path = key_dir / "token" / name
    _write_private(path, _pem(ec.generate_private_key(ec.SECP256R1())))
    return path


def prune_token_keys(key_dir: Path, before: datetime) -> list[Path]:
    """Remove keys that stopped signing before that time: a key signs until its successor is created.
    Returns the files that went."""
    paths = sorted((key_dir / "token").glob("*.pem"))
    gone = [path for path, successor in pairwise(paths) if successor.stat().st_mtime < before.timestamp()]
    for path in gone:
        path.unlink()
    return gone


def ensure_token_key(key_dir: Path) -> None:
    if not any((key_dir / "token").glob("*.pem")):
        create_token_key(key_dir)


def ensure_internal_key(key_dir: Path) -> None:
    """Create the internal key and its self-signed certificate (registry:2's rootcertbundle) once."""
    key_path, cert_path = key_dir / "internal" / "registry.key", key_dir / "internal" / "registry.crt"
    if key_path.exists() and cert_path.exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, settings.TOKEN_ISSUER)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_private(key_path, _pem(key))
    _write_private(cert_path, certificate.public_bytes(serialization.Encoding.PEM))


@dataclass(frozen=True, slots=True)
class _Key:
    id: str
    private: ec.EllipticCurvePrivateKey
    public: ec.EllipticCurvePublicKey


def _load(path: Path) -> _Key:
    private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise ValueError(f"{path} is not an EC P-256 private key")
    return _Key(key_id(private.public_key()), private, private.public_key())


class KeyRing:
    """The client-token keys of a folder: newest file signs, every file verifies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._keys: dict[str, _Key] = {}
        self._signer: _Key | None = None
        self._seen: tuple[str, ...] = ()
        self._checked = float("-inf")

    def _refresh(self) -> None:
        if time.monotonic() - self._checked < RELOAD_SECONDS:
            return
        with self._lock:
            names = tuple(sorted(path.name for path in self._folder.glob("*.pem")))
            if names != self._seen:
                keys = [_load(self._folder / name) for name in names]
                self._keys = {key.id: key for key in keys}
                self._signer = keys[-1] if keys else None
                self._seen = names
            self._checked = time.monotonic()

    def sign(self, claims: dict[str, Any]) -> str:
        self._refresh()
        if self._signer is None:
            raise RuntimeError(f"no token key in {self._folder}; `manage.py rotate_token_key` creates one")
        return jwt.encode(claims, self._signer.private, ALGORITHM, {"kid": self._signer.id})

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token one of our keys signed; expiry is left to the caller. Raises jwt.InvalidTokenError."""
        self._refresh()
        header = jwt.get_unverified_header(token)
        key = self._keys.get(header.get("kid") or "")
        if header.get("alg") != ALGORITHM or key is None:
            raise jwt.InvalidTokenError("signed with an unknown key or algorithm")
        return jwt.decode(
            token,
            key.public,
            [ALGORITHM],
            audience=settings.TOKEN_SERVICE,
            issuer=settings.TOKEN_ISSUER,
            leeway=60,
            options={"verify_exp": False, "require": ["exp", "iat", "iss", "aud"]},
        )


token_keys = KeyRing(settings.TOKEN_KEY_DIR)
_internal: _Key | None = None


def registry_token(*access: tuple[str, tuple[str, ...]], seconds: int = 180) -> str:
    """A narrow token for registry:2: ``registry_token(("library/app", ("push", "pull")))``."""
    global _internal
    if _internal is None:
        _internal = _load(settings.KEY_DIR / "internal" / "registry.key")
    now = int(time.time())
    claims = {
        "iss": settings.TOKEN_ISSUER,
        "sub": "harbor-core",
        "aud": settings.TOKEN_SERVICE,
        "exp": now + seconds,
        "nbf": now - 30,
        "iat": now,
        "access": [{"type": "repository", "name": name, "actions": list(actions)} for name, actions in access],
    }
    return jwt.encode(claims, _internal.private, ALGORITHM, {"kid": _internal.id})
