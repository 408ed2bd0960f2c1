"""The generated certificate authority and server certificate."""

import ipaddress
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from harbor_core.standalone import tls


def server(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "server.crt").read_bytes())


def test_made_once_for_all_hosts(tmp_path: Path) -> None:
    urls = ("https://registry.test:8443", "https://10.1.2.3")
    assert tls.ensure_certificate(tmp_path, urls)
    assert not tls.ensure_certificate(tmp_path, urls)
    names = server(tmp_path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"registry.test", "localhost"}
    addresses = {ipaddress.ip_address(text) for text in ("127.0.0.1", "::1", "10.1.2.3")}
    assert set(names.get_values_for_type(x509.IPAddress)) == addresses
    assert (tmp_path / "server.key").stat().st_mode & 0o077 == 0
    assert (tmp_path / "ca.key").stat().st_mode & 0o077 == 0


def test_a_new_host_changes_the_certificate_and_keeps_the_authority(tmp_path: Path) -> None:
    tls.ensure_certificate(tmp_path, ("https://one.test",))
    authority, first = (tmp_path / "ca.crt").read_bytes(), server(tmp_path)
    assert tls.ensure_certificate(tmp_path, ("https://one.test", "https://two.test"))
    assert (tmp_path / "ca.crt").read_bytes() == authority
    second = server(tmp_path)
    assert second.serial_number != first.serial_number
    second.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))


def test_renewed_before_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "SERVER_DAYS", tls.RENEW_BEFORE_DAYS - 1)
    tls.ensure_certificate(tmp_path, ())
    monkeypatch.undo()
    assert tls.ensure_certificate(tmp_path, ())
    lifetime = server(tmp_path).not_valid_after_utc - server(tmp_path).not_valid_before_utc
    assert lifetime > timedelta(days=tls.RENEW_BEFORE_DAYS)
