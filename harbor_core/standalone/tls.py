"""HARBOR_TLS=self-signed: a certificate authority made once, and a server certificate that follows the host names."""

import ipaddress
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 3650
SERVER_DAYS = 397  # the longest life that clients of the web's rules accept
RENEW_BEFORE_DAYS = 30


def ensure_certificate(folder: Path, urls: Iterable[str], days: int | None = None) -> bool:
    """Have ``ca.crt``, ``server.crt`` and ``server.key`` for the hosts of these URLs in ``folder``.

    The authority stays while it is valid, so that what clients trust goes on working; the server certificate is made
    anew when a host is missing or its end is near, for so many ``days`` (SERVER_DAYS). Returns whether it was.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    hosts = sorted({urlsplit(url).hostname or "localhost" for url in urls} | {"localhost", "127.0.0.1", "::1"})
    authority, authority_key, fresh = _authority(folder)
    certificate_file = folder / "server.crt"
    if not fresh and certificate_file.exists() and (folder / "server.key").exists():
        current = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        if _hosts_of(current) >= set(hosts) and not _ends_soon(current):
            return False
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(hosts[0] if hosts[0] != "127.0.0.1" else "localhost", key, authority.subject, days or SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write(folder / "server.key", _pem(key), 0o600)
    chain = certificate.public_bytes(serialization.Encoding.PEM) + authority.public_bytes(serialization.Encoding.PEM)
    _write(certificate_file, chain, 0o644)
    return True


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey, bool]:
    certificate_file, key_file = folder / "ca.crt", folder / "ca.key"
    if certificate_file.exists() and key_file.exists():
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey) and not _ends_soon(certificate):
            return certificate, key, False
    key = ec.generate_private_key(ec.SECP256R1())
    name = f"Harbor standalone CA {os.urandom(4).hex()}"
    certificate = (
        _builder(name, key, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                key_cert_sign=True,
                crl_sign=True,
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(key_file, _pem(key), 0o600)
    _write(certificate_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return certificate, key, True


def _builder(name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
    )


def _hosts_of(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def _ends_soon(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc < datetime.now(UTC) + timedelta(days=RENEW_BEFORE_DAYS)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.rename(path)
