import pytest

from harbor_core.lib.address import http_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://example.org", "https://example.org"),
        (" https://example.org:8443/path/ ", "https://example.org:8443/path"),
        ("example.org", "http://example.org"),
        ("127.0.0.1:5000/", "http://127.0.0.1:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("https://example.org?x=1#y", "https://example.org"),
    ],
)
def test_one_form(text: str, address: str) -> None:
    assert http_address(text) == address


def test_the_query_may_be_kept() -> None:
    assert http_address("https://example.org/in/?token=a#b", query=True) == "https://example.org/in/?token=a"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "://",
        "ftp://example.org",
        "file:///etc/passwd",
        "http://",
        "http://:80",
        "http://a:b@example.org",
        "http://a@example.org",
        "http://example.org:0",
        "http://example.org:65536",
        "http://example.org:x",
        "http://[::1",
        "http://exämple.org",
        "http://example.org/a b",
        "http://example.org/\r\nx",
        "http://example.org/" + "x" * 3000,
        "javascript:alert(1)",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        http_address(text)
