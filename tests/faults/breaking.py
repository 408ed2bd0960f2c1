"""How tests break a stack, and a client that does not give up."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

import httpx

from tests.support import oci
from tests.support.services import wait_until
from tests.support.stack import Stack

RETRY_SECONDS = 60.0
MAY_PASS = 503  # the only thing a server in trouble may say


class Gone(Exception):
    """The server could not be reached, broke off, or said that it cannot answer now."""


@contextlib.contextmanager
def down(stack: Stack, role: str) -> Iterator[None]:
    """Keep a role dead: each new process of it is killed as soon as it appears."""
    over, first = threading.Event(), stack.pid(role)

    def current() -> int:
        try:
            return stack.pid(role)
        except (FileNotFoundError, ValueError):
            return 0

    def keep_dead() -> None:
        while not over.wait(0.005):
            if process := current():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=keep_dead, name=f"{role} stays down")
    killer.start()
    try:
        wait_until(lambda: current() != first, 30, f"{role} to end")
        yield
    finally:
        over.set()
        killer.join()
        wait_until(stack.is_ready, 60, f"the stack to answer once {role} may start again")


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that neither answers nor ends."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def attempt(send) -> httpx.Response:
    """The answer. Raises Gone when a client would try again."""
    try:
        answer = send()
    except httpx.TransportError as error:
        raise Gone(str(error)) from error
    if answer.status_code == MAY_PASS:
        raise Gone(f"{answer.status_code} {answer.text}")
    return answer


def push_until_it_works(stack: Stack, repository: str, tag: str, image: oci.Image) -> int:
    """Push as clients do: an image whose push failed is pushed again from the start. Returns how often it failed.

    Raises AssertionError for an answer that says the client did something wrong, and TimeoutError.
    """
    deadline, failures = time.monotonic() + RETRY_SECONDS, 0
    while True:
        try:
            with stack.client(auth=stack.admin, timeout=20) as client:
                _push(client, repository, tag, image)
            return failures
        except Gone as gone:
            failures += 1
            if time.monotonic() > deadline:
                raise TimeoutError(f"{repository}:{tag} could not be pushed: {gone}") from gone
            time.sleep(0.1)


def _push(client: httpx.Client, repository: str, tag: str, image: oci.Image) -> None:
    for content in (image.config, image.layer):
        digest = oci.digest_of(content)
        known = attempt(lambda digest=digest: client.head(f"/v2/{repository}/blobs/{digest}"))
        if known.status_code == 200:
            continue
        assert known.status_code == 404, known.headers
        opened = attempt(lambda: client.post(f"/v2/{repository}/blobs/uploads/"))
        assert opened.status_code == 202, opened.text
        url = f"{opened.headers['Location']}&digest={digest}"
        done = attempt(lambda url=url, content=content: client.put(url, content=content))
        assert done.status_code == 201, done.text
    stored = attempt(lambda: oci.put_manifest(client, repository, tag, image.manifest))
    assert stored.status_code == 201, stored.text


def assert_whole(stack: Stack, repository: str, tag: str, image: oci.Image) -> None:
    """The image comes back as it was pushed."""
    with stack.api() as client:
        manifest = client.get(f"/v2/{repository}/manifests/{tag}")
        assert (manifest.status_code, manifest.content) == (200, image.manifest), manifest.text
        for content in (image.config, image.layer):
            blob = client.get(f"/v2/{repository}/blobs/{oci.digest_of(content)}", follow_redirects=True)
            assert (blob.status_code, blob.content) == (200, content)
