"""What WSGI applications have in common (PEP 3333)."""

from collections.abc import Callable, Iterable, Iterator


class Finished:
    """A body; ``finish`` is called once it was sent, or will be no more."""

    def __init__(self, body: Iterable[bytes], finish: Callable[[], None]) -> None:
        self._body, self._finish = body, finish

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._finish()
