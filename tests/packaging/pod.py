"""A container of a rendered pod as a process of this machine: its command line, environment, account and volumes.

What stands for the image is this machine's own system, read-only, with the code and its packages where the image has
them. Needs root. Networks, limits and secrets' owners are the cluster's, and not tried.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.stack import ROOT

ACCOUNT = 10000
SYSTEM = ("bin", "dev", "etc", "lib", "lib32", "lib64", "proc", "sbin", "usr")
CODE, PACKAGES = "/srv/harbor", "/opt/harbor"
SCRIPT = """
set -eu
new=$1 account=$2
shift 2
mount -t tmpfs -o mode=0755 none "$new"
for name in {system}; do
    if [ -L "/$name" ]; then cp -d "/$name" "$new/$name"
    elif [ -d "/$name" ]; then mkdir "$new/$name" && mount --rbind "/$name" "$new/$name"; fi
done
while [ "$1" != -- ]; do
    mkdir -p "$new$3"
    mount --bind "$2" "$new$3"
    [ "$1" != ro ] || mount -o remount,bind,ro "$new$3"
    shift 3
done
shift
mount -o remount,ro "$new"
exec chroot "$new" setpriv --reuid "$account" --regid "$account" --clear-groups --no-new-privs --bounding-set=-all \\
    sh -c 'cd {code} && exec docker/harbor-entrypoint.sh "$@"' sh "$@"
"""


def run(
    pod: Mapping[str, Any],
    secrets: Mapping[str, Mapping[str, str]],
    volumes: Mapping[str, Path],
    args: list[str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """The one container of the pod, or with ``args`` another command in it. ``secrets`` by name and key, as the cluster
    has them; ``volumes`` are folders by the name of the volume. Raises KeyError for one that is not given."""
    (container,) = pod["containers"]
    environment = image_environment() | {
        one["name"]: secrets[source["name"]][source["key"]] if (source := _reference(one)) else one.get("value", "")
        for one in container["env"]
    }
    environment["PATH"] = f"{PACKAGES}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    mounts = [(True, ROOT, CODE), (True, ROOT / ".venv", PACKAGES), (True, Path(sys.base_prefix), sys.base_prefix)]
    mounts += [
        (bool(mount.get("readOnly")), volumes[mount["name"]], mount["mountPath"]) for mount in container["volumeMounts"]
    ]
    words = [
        word for read_only, folder, path in mounts for word in ("ro" if read_only else "rw", str(folder), str(path))
    ]
    new = volumes["root"]
    new.mkdir(exist_ok=True)
    script = SCRIPT.format(system=" ".join(SYSTEM), code=CODE)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "pod"]
    command += [str(new), str(ACCOUNT), *words, "--", *(args or container["args"])]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def _reference(variable: Mapping[str, Any]) -> Mapping[str, str] | None:
    found: Mapping[str, str] | None = variable.get("valueFrom", {}).get("secretKeyRef")
    return found


def image_environment() -> dict[str, str]:
    """What the Dockerfile sets in the image of the Python roles."""
    text = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    stages = dict(re.findall(r"^FROM \S+ AS (\w+)$(.*?)(?=^FROM |\Z)", text, re.MULTILINE | re.DOTALL))
    found: dict[str, str] = {}
    for stage in ("base", "harbor"):
        for line in re.findall(r"^ENV (.*)$", stages[stage], re.MULTILINE):
            found |= dict(word.partition("=")[::2] for word in shlex.split(line))
    return found
