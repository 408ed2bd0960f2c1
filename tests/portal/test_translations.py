"""Every text of the portal has its Chinese counterpart."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from django.test import Client

from tests.portal.conftest import World

PORTAL = Path(__file__).resolve().parent.parent.parent / "portal"
CATALOG = Path("locale/zh_Hans/LC_MESSAGES/django.po")


def _extract(folder: Path) -> None:
    environment = os.environ | {"HARBOR_BUILD": "1", "PYTHONPATH": str(PORTAL.parent)}
    subprocess.run(
        [
            sys.executable,
            str(PORTAL.parent / "manage.py"),
            "makemessages",
            "-l",
            "zh_Hans",
            "--no-obsolete",
        ],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    )


def _joined(literals: str) -> str:
    return "".join(re.findall(r'"(.*)"', literals))


def _texts(folder: Path) -> set[str]:
    """Texts to translate; long ones stand on several lines of a catalogue."""
    return {_joined(item) for item in re.findall(r'^msgid((?:\s*".*"$)+)', (folder / CATALOG).read_text(), re.M)}


def test_every_text_is_translated(tmp_path: Path) -> None:
    folder = tmp_path / "portal"
    shutil.copytree(PORTAL, folder, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    before = _texts(folder)
    _extract(folder)
    catalog = (folder / CATALOG).read_text()
    translated = re.findall(r'^msgstr(?:\[0\])?((?:\s*".*"$)+)', catalog, re.M)
    assert len(translated) > 100 and "#, fuzzy" not in catalog
    assert catalog.count("\nmsgid ") == len(translated) and all(_joined(item) for item in translated), catalog
    assert before == _texts(folder), "run makemessages in portal/"


def test_pages_in_chinese_hold_no_english_words(world: World, admin: Client) -> None:
    """What is left in Latin letters is names, technical terms and units."""
    admin.cookies["harbor_lang"] = "zh-hans"
    known = re.compile(
        r"Harbor|English|library|secret|empty|root|app|multi|arch|charts|docker|podman|nerdctl|ctr|crictl|pull|push|login"
        r"|localhost|sha256|linux|amd|arm|IMAGE|CHART|KiB|MiB|B|v2|CA|latest|image|images|index|json|tag|SOURCE|TAG|Webhook"
        r"|REPOSITORY|helm|oci|version|plain|http|u|API|OpenAPI|JavaScript|CNAB|WASM|SBOM|CNAI|UNKNOWN|OCI|windows|darwin"
        r"|ppc|le|riscv|mips|loong|freebsd"
    )
    base = f"/harbor/projects/{world.library.pk}/repositories"
    for url in ("/harbor/projects", base, f"{base}/app", f"{base}/app?view=artifacts", "/nothing", "/account/password"):
        text = admin.get(url).content.decode()
        body = re.sub(r"<!--.*?-->|<(code|script|svg)[\s\S]*?</\1>", " ", text[text.index("<body") :])
        words = re.findall(r"[A-Za-z]{2,}", re.sub(r"<[^>]+>", " ", body))
        assert [word for word in words if not known.fullmatch(word)] == [], url
