"""Any registry that speaks the distribution spec: anonymous, with Basic, or with tokens."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode

from harbor_core.lib.http import Answer
from replication.adapters.base import NAME_AND_TAG, Adapter, Filter, Info, UnhealthyError

_SCHEME = re.compile(r"\s*(basic|bearer)\b", re.IGNORECASE)
_PARAMETER = re.compile(r'([a-zA-Z_]+)\s*=\s*"([^"]*)"')


class DockerRegistry(Adapter):
    kind = "docker-registry"
    title = "Docker Registry"

    @property
    def registry_url(self) -> str:
        """Where ``/v2/`` is."""
        return self.endpoint.url

    def check(self) -> None:
        """``GET /v2/``. Without credentials a challenge is answer enough; with credentials they must be taken."""
        answer = self.get(f"{self.registry_url}/v2/")
        if answer.status == 401 and self.endpoint.has_credentials:
            answer = self.get(f"{self.registry_url}/v2/", headers={"Authorization": self.authorization(answer)})
        elif answer.status == 401 and "www-authenticate" in answer.headers:
            return
        self.expect_registry(answer)

    def expect_registry(self, answer: Answer) -> None:
        """Of ``GET /v2/`` with credentials, or without where none are asked for. Raises UnhealthyError."""
        if answer.status in (401, 403) and self.endpoint.has_credentials:
            raise UnhealthyError("the registry does not accept the credentials")
        if answer.status != 200 or "html" in answer.headers.get("content-type", ""):
            raise UnhealthyError(f"{self.registry_url}/v2/ does not answer as a registry does ({answer.status})")

    def info(self) -> Info:
        return Info(self.kind, (*NAME_AND_TAG, Filter("resource", "radio", ("image",))), description=self.title)

    def repositories(self) -> Iterator[str] | None:
        """Names of all the account may see, where the kind has a list of its own; None where that is the catalog.
        Raises UnhealthyError."""
        return None

    def make_repository(self, name: str) -> None:
        """Make room for a first push, where the push itself does not. What is there is left alone.
        Raises UnhealthyError."""

    def standing_authorization(self) -> str:
        """The value of an Authorization header that is good for every repository, without being asked for it; empty
        where each is challenged for itself. Raises UnhealthyError."""
        return ""

    def login(self) -> str:
        """The value of an Authorization header that token services take, and registries that ask for Basic; empty
        without credentials. Raises UnhealthyError where it has to be asked for."""
        return self.endpoint.basic if self.endpoint.has_credentials else ""

    def authorization(self, challenged: Answer) -> str:
        """What the challenge asks for: the credentials themselves, or a token for them. Raises UnhealthyError."""
        challenge = challenged.headers.get("www-authenticate", "")
        scheme = _SCHEME.match(challenge)
        if scheme is None:
            raise UnhealthyError("the registry asks for credentials in a way that is not known here", challenged.status)
        if scheme[1].lower() == "basic":
            login = self.login()
            if not login:
                raise UnhealthyError("the registry asks for credentials", challenged.status)
            return login
        return f"Bearer {self._token(parameters(challenged))}"

    def realm(self, challenge: dict[str, str]) -> str:
        """Where tokens come from. Raises UnhealthyError for an address the credentials must not go to."""
        realm = challenge.get("realm", "")
        schemes = ("https://",) if self.registry_url.startswith("https://") else ("https://", "http://")
        if not realm.lower().startswith(schemes):  # credentials do not go out in clear if they came in safely
            raise UnhealthyError("the registry sends for a token to an address that is not safe")
        return realm

    def _token(self, challenge: dict[str, str]) -> str:
        """Docker's token dance (distribution spec, "Token Authentication"). Raises UnhealthyError."""
        realm = self.realm(challenge)
        wanted = {name: challenge[name] for name in ("service", "scope") if challenge.get(name)}
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(wanted)}"
        login = self.login()
        answer = self.get(url, headers={"Authorization": login} if login else {})
        if answer.status in (401, 403):
            raise UnhealthyError("the token service does not accept the credentials", answer.status)
        try:
            document = json.loads(answer.body) if answer.status == 200 else {}
        except (ValueError, RecursionError):
            document = {}
        token = (document.get("token") or document.get("access_token")) if isinstance(document, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise UnhealthyError(f"the token service does not answer with a token ({answer.status})", answer.status)
        return token


def parameters(challenged: Answer) -> dict[str, str]:
    """Of the challenge in an answer: realm, service, scope."""
    return dict(_PARAMETER.findall(challenged.headers.get("www-authenticate", "")))
