"""A registry of somebody else: a plain docker-registry on loopback, open or with a password."""

import subprocess

from tests.support.services import Service, connects, find, free_port

CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/storage}}, delete: {{enabled: true}}}}
http: {{addr: 127.0.0.1:{port}}}
"""
PASSWORDS = "auth: {{htpasswd: {{realm: elsewhere, path: {folder}/passwords}}}}\n"


class RemoteRegistry(Service):
    """``url`` is its address; with ``login`` (name, password) it asks for Basic authentication."""

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        super().__init__("remote")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = CONFIG + (PASSWORDS if login else "")
        path = self.folder / "registry.yml"
        path.write_text(config.format(folder=self.folder, port=self.port), encoding="utf-8")
        if login:
            (self.folder / "passwords").write_text(_entry(*login), encoding="utf-8")
        self.spawn([find("docker-registry"), "serve", str(path)], lambda: connects(("127.0.0.1", self.port)))


def _entry(name: str, password: str) -> str:
    """A line of an htpasswd file. Only bcrypt is known to docker-registry; the C library makes it."""
    script = "import crypt, sys; print(crypt.crypt(sys.argv[1], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))"
    made = subprocess.run(
        ["python3", "-W", "ignore", "-c", script, password], capture_output=True, text=True, check=True
    )
    return f"{name}:{made.stdout.strip()}\n"
