"""What services refuse with, and jobs fail with, is known to the portal in every language."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from portal import reasons
from portal.sentences import SENTENCES

ROOT = Path(__file__).resolve().parent.parent.parent
# What pages call, and what runs in the background for them.
SOURCES = (
    "auth/guard.py",
    "auth/credentials.py",
    "auth/selectors",
    "auth/services",
    "harbor_core/lib/address.py",
    "harbor_core/lib/config_keys.py",
    "harbor_core/lib/crypto.py",
    "harbor_core/lib/doublestar.py",
    "harbor_core/lib/http.py",
    "harbor_core/lib/patterns.py",
    "harbor_core/lib/ssrf.py",
    "harbor_core/services",
    "jobservice/cron.py",
    "jobservice/selectors",
    "jobservice/services",
    "jobservice/worker",
    "portal/views",
    "projects/access.py",
    "projects/selectors",
    "projects/services",
    "replication/adapters",
    "replication/calls.py",
    "replication/client.py",
    "replication/secrets.py",
    "replication/selectors",
    "replication/services",
)
# What only clients of /v2, the API and commands ask for: uploads, manifests, what a proxy cache fetches, icons, the
# configuration as one document, what is taken over from another Harbor.
ELSEWHERE = (
    "harbor_core/services/declared",
    "harbor_core/services/import_",
    "projects/selectors/icons.py",
    "projects/services/blobs.py",
    "projects/services/push.py",
    "replication/services/proxy/",
)
# What takes the reason as an argument: its position.
RAISERS = {
    "HarborError": 1,
    "JobFailed": 0,
    "Postponed": 0,
    "Retry": 0,
    "_bad": 0,
    "BadPattern": 0,
    "CronError": 0,
    "OutboundError": 0,
    "RefusedTargetError": 0,
    "RemoteError": 0,
    "UndecryptableError": 0,
    "UnhealthyError": 0,
}
UNSEEN = (
    "invalid query: ",
    "7 7",
)  # pages make no such queries; the parts of a setting's refusal are found by themselves


def _texts(node: ast.expr) -> Iterator[str]:
    """What it may say, with 7 for every value; nothing where that is somebody else's text."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in parts)
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one)
            yield from _texts(other)


def _said() -> Iterator[tuple[str, str]]:
    """Where, and what."""
    for source in SOURCES:
        path = ROOT / source
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            name = str(file.relative_to(ROOT))
            if name.startswith(ELSEWHERE):
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                for text in _of(name, node):
                    yield f"{name}:{getattr(node, 'lineno', 0)}", text


def _of(file: str, node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Name(id=raiser), args=arguments) if raiser in RAISERS:
            at = 1 if file.endswith("metadata.py") and raiser == "_bad" else RAISERS[raiser]
            for argument in arguments[at : at + 1]:
                yield from _texts(argument)
        case ast.Return(value=ast.expr() as value) | ast.Lambda(body=value) if file.endswith("config_keys.py"):
            yield from (text for text in _texts(value) if text.startswith("must "))


def test_every_reason_is_known() -> None:
    found = list(_said())
    assert len(found) > 250
    unknown = [(place, text) for place, text in found if not reasons.known(text) and not text.startswith(UNSEEN)]
    assert unknown == [], "write them into portal/sentences.py, and into the catalogues"


def test_no_sentence_hides_another() -> None:
    for sentence in SENTENCES:
        found = reasons.known(re.sub(r"%\(\w+\)s", "7", sentence).replace("%%", "%"))
        assert found is not None and found[0] == sentence


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("label red 100% not found", "找不到标签 red 100%"),
        ("the registry is unhealthy: the registry asks for credentials", "该仓库服务不健康：该仓库服务要求凭据"),
        ("a group name must have 1 to 255 characters", "组名须有 1 到 255 个字符"),
        ("nobody has written this", "nobody has written this"),
    ],
)
def test_the_values_stay(text: str, chinese: str) -> None:
    assert reasons.said(text) == text
    with translation.override("zh-hans"):
        assert reasons.said(text) == chinese
