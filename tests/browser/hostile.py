"""Names and texts that mean harm, brought in through the front door wherever people may write what they like."""

import gzip
import json
from typing import Any

import httpx

from tests.browser import sample
from tests.support.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, descriptor, digest_of, push_blob, put_manifest
from tests.support.stack import Stack

RIGHT_TO_LEFT = "\u202eשלום\u202c مرحبا"
# Markup, quotes that end an attribute, syntax of templates, text that runs to the left.
MARKUP = '<img src=x onerror="pwned=1"><script>pwned=1</script>\'"--></style></title>{{7*7}}{% now %}&amp;'
HOSTILE = f"{MARKUP}{RIGHT_TO_LEFT}"
LONG = "W" * 180  # nothing in it at which a line could end
TEXT = f"{HOSTILE} {LONG}"
PRINTABLE = f"{MARKUP} שלום مرحبا"  # where no control characters are allowed
PLAIN = f"<b onclick=pwned=1>'{{{{7*7}}}}&amp;{RIGHT_TO_LEFT}"  # what names of accounts may hold
PATTERN = f"<img src=x onerror=pwned=1>'\"&amp;{LONG}**"
LONG_TAG = "w" * 128
LONG_REPOSITORY = f"payments/{'w' * 120}/{'w' * 100}"

# What only an injection can have brought in: our own pages have no inline script or style and no handler.
INJECTED = """
() => {
  const found = [...document.querySelectorAll("img[src=x], script:not([src]), style, [onerror], [onclick]")];
  if (window.pwned !== undefined) found.push(document.documentElement);
  return found.map((element) => element.outerHTML.slice(0, 300));
}
"""
WIDER = """
() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth === width) return [];
  const wide = [...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > width + 1);
  return wide.slice(-3).map((element) => element.outerHTML.slice(0, 200));
}
"""


def fill(stack: Stack, ids: dict[str, int]) -> None:
    """``ids`` are those of ``administration.fill``: what has a page there gets such texts, too."""
    with stack.api() as api:
        named = {"X-Is-Resource-Name": "true"}
        found = api.get("/api/v2.0/projects/payments", headers=named).json()
        project = int(found["project_id"])
        _done(api.put(f"/api/v2.0/users/{ids['user']}", json={"realname": PLAIN, "comment": PLAIN[:30], "email": ""}))
        person = {"username": PLAIN[:60], "realname": LONG, "comment": PLAIN[:30], "password": sample.PASSWORD}
        _done(api.post("/api/v2.0/users", json=person))
        member = {"role_id": 2, "member_user": {"username": person["username"]}}
        _done(api.post("/api/v2.0/projects/payments/members", json=member, headers=named))
        label = {"name": HOSTILE[:128], "color": "#0065AB", "description": TEXT}
        _done(api.put(f"/api/v2.0/labels/{ids['label']}", json=label | {"scope": "g"}))
        _done(api.post("/api/v2.0/labels", json=label | {"scope": "p", "project_id": project}))
        _done(api.post("/api/v2.0/labels", json=label | {"name": LONG[:128], "scope": "p", "project_id": project}))
        _robots(api, ids["robot"])
        _done(api.put(f"/api/v2.0/registries/{ids['registry']}", json={"name": HOSTILE[:64], "description": TEXT}))
        _rules(api, project)
        _hooks(api)
        _replication(api, ids["rule"])
        _mine(api, ids["robot"])
        _done(api.put("/api/v2.0/projects/payments/repositories/api", json={"description": TEXT}))
        artifact = "/api/v2.0/projects/payments/repositories/api/artifacts/2.3.0"
        for number in [item["id"] for item in api.get(f"/api/v2.0/labels?scope=p&project_id={project}").json()]:
            _done(api.post(f"{artifact}/labels", json={"id": number}))
        banner = json.dumps({"message": TEXT, "type": "warning"})
        _done(api.put("/api/v2.0/configurations", json={"banner_message": banner}))
    _push(stack, "payments/api", "2.3.0")
    _push(stack, LONG_REPOSITORY, LONG_TAG)


def _robots(api: httpx.Client, robot: int) -> None:
    stored = api.get(f"/api/v2.0/robots/{robot}").json()
    _done(api.put(f"/api/v2.0/robots/{robot}", json=stored | {"description": TEXT}))
    pull = {"kind": "project", "namespace": "payments", "access": [{"resource": "repository", "action": "pull"}]}
    robot_of = {"name": "hostile", "level": "project", "duration": -1, "description": TEXT, "permissions": [pull]}
    _done(api.post("/api/v2.0/robots", json=robot_of))


def _rules(api: httpx.Client, project: int) -> None:
    def selectors(kind: str) -> list[dict[str, str]]:
        decoration = "repoMatches" if kind == "repository" else "matches"
        return [{"kind": "doublestar", "decoration": decoration, "pattern": PATTERN}]

    rule = {"template": "immutable_template", "action": "immutable", "tag_selectors": selectors("tag")}
    rule |= {"scope_selectors": {"repository": selectors("repository")}}
    _done(api.post("/api/v2.0/projects/payments/immutabletagrules", json=rule))
    kept = rule | {"action": "retain", "template": "always", "params": {}}
    policy = {
        "algorithm": "or",
        "rules": [kept],
        "scope": {"level": "project", "ref": project},
        "trigger": {"kind": "Schedule", "settings": {"cron": ""}, "references": {}},
    }
    _done(api.post("/api/v2.0/retentions", json=policy))


def _hooks(api: httpx.Client) -> None:
    target = {"type": "http", "address": f"https://hooks.example.com/{LONG}?a=%3Cb%3E'&b=1", "auth_header": ""}
    policy = {"enabled": True, "event_types": ["PUSH_ARTIFACT", "QUOTA_EXCEED"], "targets": [target]}
    for name in (HOSTILE, LONG):
        body = policy | {"name": name, "description": TEXT}
        _done(api.post("/api/v2.0/projects/payments/webhook/policies", json=body))


def _replication(api: httpx.Client, rule: int) -> None:
    stored = api.get(f"/api/v2.0/replication/policies/{rule}").json()
    filters = [{"type": "name", "value": PATTERN[:200]}, {"type": "tag", "value": PATTERN[:200]}]
    body = stored | {"name": PRINTABLE, "description": TEXT, "filters": filters}
    _done(api.put(f"/api/v2.0/replication/policies/{rule}", json=body))


def _mine(api: httpx.Client, robot: int) -> None:
    """A token of the administrator's and a trust of the robot's; a webhook of the system's."""
    token = {"name": PRINTABLE, "scopes": ["pull"]}
    _done(api.post("/api/v2.0/users/current/tokens", json=token))
    trust = {
        "name": PRINTABLE,
        "issuer": "https://issuer.example.com",
        "audience": LONG,
        "claims": {"sub": PATTERN},
    }
    _done(api.post(f"/api/v2.0/robots/{robot}/trusts", json=trust))
    target = {"type": "http", "address": f"https://hooks.example.com/{LONG}?a=%3Cb%3E'&b=1", "auth_header": ""}
    hook = {"name": HOSTILE, "description": TEXT, "enabled": True, "event_types": ["PUSH_ARTIFACT"]}
    _done(api.post("/api/v2.0/system/webhook/policies", json=hook | {"targets": [target]}))


def _push(stack: Stack, repository: str, tag: str) -> None:
    """An image whose config and annotations say such things."""
    config: dict[str, Any] = {
        "architecture": MARKUP,
        "os": LONG,
        "author": TEXT,
        "created": MARKUP,
        "config": {
            "User": TEXT,
            "Env": [TEXT],
            "Cmd": [TEXT],
            "Entrypoint": [LONG],
            "Labels": {TEXT: TEXT},
            "ExposedPorts": {MARKUP: {}},
        },
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [{"created": "2026-11-14T08:30:00Z", "created_by": TEXT, "comment": TEXT}],
    }
    layer, content = gzip.compress(b"a layer", mtime=0), json.dumps(config).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(content, OCI_CONFIG),
            "layers": [descriptor(layer, OCI_LAYER)],
            "annotations": {MARKUP: TEXT, LONG: HOSTILE},
        }
    ).encode()
    with sample.registry_client(stack, repository) as client:
        for blob in (content, layer):
            assert push_blob(client, repository, blob).status_code == 201
        _done(put_manifest(client, repository, digest_of(manifest), manifest))
        _done(put_manifest(client, repository, tag, manifest))


def _done(answer: httpx.Response) -> None:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text}"
