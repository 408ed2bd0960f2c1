"""Container tools as their users run them, each private: own daemon, own storage, own configuration folder.

A tool that reads the machine's configuration whatever it is told runs in a mount namespace of its own, where that
configuration is ours; the mounts go with the process. Namespaces and container storage need root, as the tools do.
"""

import base64
import io
import json
import os
import signal
import struct
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from tests.support.services import Service, clean_environment, connects, find

CLIENT_SECONDS = 120.0
Account = tuple[str, str]


class Done(subprocess.CompletedProcess[str]):
    """How a program ended."""

    @property
    def said(self) -> str:
        return self.stdout + self.stderr

    def ok(self) -> str:
        """Its standard output. Raises AssertionError with all it said when it failed."""
        assert self.returncode == 0, f"{' '.join(self.args)}\n{self.said}"
        return self.stdout

    def refused(self, *reasons: str) -> str:
        """All it said. Raises AssertionError unless it failed for one of the reasons."""
        assert self.returncode != 0, f"{' '.join(self.args)} succeeded\n{self.said}"
        assert any(reason in self.said.lower() for reason in reasons), self.said
        return self.said


def run(*argv: str | Path, env: dict[str, str] | None = None, stdin: bytes = b"", seconds: float = 0) -> Done:
    """Run a program to its end, whatever that is, within ``seconds`` (CLIENT_SECONDS unless given)."""
    done = subprocess.run(
        [find(str(argv[0])), *map(str, argv[1:])],
        env=clean_environment() | (env or {}),
        input=stdin,
        capture_output=True,
        timeout=seconds or CLIENT_SECONDS,
        check=False,
    )
    return Done(done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def with_files(files: dict[str, Path], argv: list[str]) -> list[str]:
    """A command line that sees these files in the places of the machine's own, alone in a mount namespace."""
    mounts = "".join(f"mount --bind '{own}' '{place}' && " for place, own in files.items())
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mounts}exec "$@"', "sh", *argv]


def root_filesystem(content: bytes) -> bytes:
    """A tar with one file, as ``docker import`` and ``podman import`` take it."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        entry = tarfile.TarInfo("content")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def docker_config(registry: str, account: Account) -> str:
    """A ``config.json`` with the credentials, which is also what a Kubernetes imagePullSecret of type
    kubernetes.io/dockerconfigjson holds."""
    return json.dumps({"auths": {registry: {"auth": base64.b64encode(":".join(account).encode()).decode()}}})


class Docker(Service):
    """A docker engine and its command line.

    The engine trusts any certificate of a registry on 127.0.0.0/8. Here ``localhost`` is ``::1`` to it, so that a
    certificate counts only when ``trust`` has made its authority known, and plain http only for ``127.0.0.1``, which
    it knows as ``MIRROR`` too.
    """

    MIRROR = "mirror.test"

    def __init__(self) -> None:
        super().__init__("docker")
        for name in ("data", "exec", "etc", "config"):
            (self.folder / name).mkdir()
        (self.folder / "hosts").write_text(f"::1 localhost\n127.0.0.1 {self.MIRROR}\n", encoding="ascii")
        Path("/etc/docker").mkdir(exist_ok=True)
        self._socket = self.folder / "docker.sock"
        engine = [
            *("env", "GODEBUG=netdns=go", find("dockerd"), "--host", f"unix://{self._socket}"),
            *("--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec")),
            *("--pidfile", str(self.folder / "docker.pid"), "--storage-driver", "vfs", "--log-level", "warn"),
            *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
        ]
        files = {"/etc/hosts": self.folder / "hosts", "/etc/docker": self.folder / "etc"}
        self.spawn(with_files(files, engine), lambda: connects(self._socket) and self("version").returncode == 0)

    def __call__(self, *argv: str | Path, stdin: bytes = b"", seconds: float = 0) -> Done:
        env = {"DOCKER_HOST": f"unix://{self._socket}", "DOCKER_CONFIG": str(self.folder / "config")}
        return run("docker", *argv, env=env, stdin=stdin, seconds=seconds)

    def trust(self, registry: str, ca_file: Path) -> None:
        """What an administrator does for a registry with its own authority: /etc/docker/certs.d/<host:port>/ca.crt."""
        folder = self.folder / "etc" / "certs.d" / registry
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ca.crt").write_bytes(ca_file.read_bytes())

    def configure(self, settings: str) -> None:
        """Write daemon.json and tell the engine to read it again."""
        (self.folder / "etc" / "daemon.json").write_text(settings, encoding="utf-8")
        os.kill(self.pid, signal.SIGHUP)

    def login(self, registry: str, account: Account) -> Done:
        name, password = account
        return self("login", "--username", name, "--password-stdin", registry, stdin=password.encode())

    def build(self, image: str, content: bytes) -> None:
        """An image with one layer, made without any registry."""
        self("import", "-", image, stdin=root_filesystem(content)).ok()

    def read(self, image: str) -> bytes:
        """The content ``build`` put into the image, taken out of what the engine has."""
        container = self("create", image, "/content").ok().strip()
        copied = self.folder / container
        self("cp", f"{container}:/content", copied).ok()
        self("rm", container).ok()
        return copied.read_bytes()


class Containers:
    """podman, buildah and skopeo over one private storage in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._env = {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
            "TMPDIR": str(folder),
        }
        self._storage = ("--root", folder / "root", "--runroot", folder / "runroot", "--storage-driver", "vfs")

    def podman(
        self, *argv: str | Path, stdin: bytes = b"", seconds: float = 0, env: dict[str, str] | None = None
    ) -> Done:
        options = (*self._storage, "--tmpdir", self.folder / "tmp", "--events-backend", "none")
        return run("podman", *options, *argv, env=self._env | (env or {}), stdin=stdin, seconds=seconds)

    def buildah(self, *argv: str | Path, seconds: float = 0) -> Done:
        return run("buildah", *self._storage, *argv, env=self._env, seconds=seconds)

    def skopeo(self, *argv: str | Path, seconds: float = 0) -> Done:
        return run("skopeo", "--insecure-policy", *argv, env=self._env, seconds=seconds)

    def trust(self, name: str, ca_file: Path) -> Path:
        """A folder for ``--cert-dir``."""
        folder = self.folder / f"certs-{name}"
        folder.mkdir(exist_ok=True)
        (folder / "ca.crt").write_bytes(ca_file.read_bytes())
        return folder

    def read(self, image: str) -> bytes:
        """The file ``content`` of an image in the storage."""
        root = self.podman("image", "mount", image).ok().strip()
        content = (Path(root) / "content").read_bytes()
        self.podman("image", "unmount", image).ok()
        return content


class Containerd(Service):
    """containerd with its CRI service, and ``ctr``. ``hosts`` is the CRI service's registry configuration folder.

    Both know this machine as ``registry.test`` as well: to a registry called ``localhost`` they speak plain http first
    and check no certificate.
    """

    NAME = "registry.test"

    def __init__(self) -> None:
        super().__init__("containerd")
        self.hosts = self.folder / "hosts.d"
        self.hosts.mkdir()
        self.socket = self.folder / "containerd.sock"
        hosts_file = self.folder / "hosts"
        hosts_file.write_text(f"127.0.0.1 localhost {self.NAME}\n", encoding="ascii")
        self._files = {"/etc/hosts": hosts_file}
        cri = 'plugins."io.containerd.grpc.v1.cri"'
        lines = [
            "version = 2",
            f'root = "{self.folder}/root"',
            f'state = "{self.folder}/state"',
            f'[grpc]\naddress = "{self.socket}"',
            f'[{cri}.containerd]\nsnapshotter = "native"',
            f'[{cri}.cni]\nconf_dir = "{self.folder}/cni"\nbin_dir = "{self.folder}/cni"',
            f'[{cri}.registry]\nconfig_path = "{self.hosts}"',
        ]
        config = self.folder / "config.toml"
        config.write_text("\n".join(lines), encoding="utf-8")
        daemon = [find("containerd"), "--config", str(config), "--log-level", "warn"]
        self.spawn(with_files(self._files, daemon), self._answers)

    def _answers(self) -> bool:
        return connects(self.socket) and self.ctr("version").returncode == 0

    def ctr(self, *argv: str | Path, stdin: bytes = b"") -> Done:
        return run(*with_files(self._files, ["ctr", "--address", str(self.socket), *map(str, argv)]), stdin=stdin)

    def configure(self, registry: str, url: str, ca_file: Path | None = None) -> None:
        """hosts.toml as an administrator of a node writes it."""
        folder = self.hosts / registry
        folder.mkdir(exist_ok=True)
        lines = [f'server = "{url}"', f'[host."{url}"]', 'capabilities = ["pull", "resolve"]']
        (folder / "hosts.toml").write_text("\n".join([*lines, f'ca = "{ca_file}"'] if ca_file else lines))

    def cri_pull(self, image: str, account: Account | None) -> Done:
        """``ImageService.PullImage`` of the container runtime interface, what a kubelet asks for a pod's image.

        ``account`` is what it read from an imagePullSecret. ``stderr`` holds the gRPC message of a failure.
        """
        request = _field(1, _field(1, image.encode()))
        if account is not None:
            request += _field(2, _field(1, account[0].encode()) + _field(2, account[1].encode()))
        trailers_file = self.folder / "trailers"
        answer = run(
            *("curl", "--silent", "--show-error", "--http2-prior-knowledge", "--unix-socket", self.socket),
            *("--dump-header", trailers_file, "--header", "Content-Type: application/grpc", "--header", "TE: trailers"),
            *("--data-binary", "@-", "http://containerd/runtime.v1.ImageService/PullImage"),
            stdin=b"\0" + struct.pack(">I", len(request)) + request,
        )
        text = answer.ok()
        trailers = dict(_headers(trailers_file.read_text(encoding="utf-8").splitlines()))
        return Done(answer.args, int(trailers["grpc-status"]), text, unquote(trailers.get("grpc-message", "")))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protocol buffer, shorter than 16 KiB."""
    length = len(content)
    prefix = bytes([length]) if length < 128 else bytes([length & 0x7F | 0x80, length >> 7])
    return bytes([number << 3 | 2]) + prefix + content


def _headers(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(": ")
        if colon:
            yield name.lower(), value
