"""What the form of a remote registry takes from what the kinds of registries declare, and what their list shows."""

import pytest
from django.test import Client

from portal.forms.registries import RegistryForm
from replication import ratelimits
from replication.adapters import ADAPTERS
from replication.adapters.base import Endpoint
from replication.models import Registry
from replication.secrets import MASK

FILLED = {"name": "far", "url": "https://registry.example", "verify": "on"}


@pytest.mark.django_db
@pytest.mark.parametrize(("remaining", "kind"), [(76, "accent"), (25, "warning"), (0, "danger")])
def test_the_list_shows_how_many_requests_are_left(admin: Client, remaining: int, kind: str) -> None:
    row = Registry.objects.create(name="hub", type="docker-hub", url="https://hub.docker.com", status="healthy")
    assert "progress-" not in admin.get("/harbor/registries").content.decode()
    said = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": str(remaining)}
    ratelimits.note(Endpoint(row.url, row.access_key), said)
    page = admin.get("/harbor/registries").content.decode()
    assert f"{remaining} of 100" in page and f"progress-{kind}" in page


def test_every_kind_can_be_chosen_and_has_a_name() -> None:
    choices = dict(RegistryForm().fields["type"].choices)  # type: ignore[attr-defined]  # of a field with choices
    assert list(choices) == list(ADAPTERS)
    assert len(set(choices.values())) == len(ADAPTERS) and choices["aws-ecr"] == "Amazon ECR"


def test_known_addresses_are_offered() -> None:
    html = str(RegistryForm()["url"])
    assert 'list="url-offered"' in html
    assert '<option value="https://ghcr.io" label="GitHub (ghcr.io): ghcr.io"></option>' in html
    kept = str(RegistryForm(row=Registry(type="google-gcr"))["url"])
    assert "https://eu.gcr.io" in kept and "https://ghcr.io" not in kept


def test_a_secret_that_has_one_name_needs_none() -> None:
    for kind, secret, key in (
        ("google-gcr", '{"type": "service_account"}', "_json_key"),
        ("google-gcr", "", ""),
        ("quay", "word", "json_file"),
        ("docker-registry", "word", ""),
    ):
        form = RegistryForm(FILLED | {"type": kind, "access_secret": secret})
        assert form.is_valid(), form.errors
        assert (form.values["access_key"], form.values["access_secret"]) == (key, secret)
        assert form.values["credential_type"] == ("basic" if secret else "")


def test_a_name_that_was_given_stays() -> None:
    row = Registry(type="google-gcr", access_key="oauth2accesstoken", access_secret="sealed", credential_type="oauth")
    form = RegistryForm(FILLED | {"access_key": "_token", "access_secret": "new"}, row=row)
    assert form.is_valid(), form.errors
    assert (form.values["access_key"], form.values["credential_type"]) == ("_token", "oauth")


def test_what_few_registries_need_is_folded_away() -> None:
    empty = RegistryForm()
    assert [field.name for field in empty.folded_fields][:2] == ["proxy", "client_certificate"]
    assert not empty.is_unfolded and "forget_more" not in empty.fields
    row = Registry(type="harbor", more_credentials=[["a", "sealed"]], client_key="sealed", client_certificate="PEM")
    for given, more in (({}, None), ({"more_credentials": "b:c:d\n\n e:f"}, [("b", "c:d"), ("e", "f")])):
        form = RegistryForm(FILLED | {"client_certificate": "PEM"} | given, row=row)
        assert form.is_valid(), form.errors
        assert (form.values["more_credentials"], form.values["client_key"]) == (more, MASK)
    forgetting = RegistryForm(FILLED | {"forget_more": "on"}, row=row)
    assert forgetting.is_valid() and forgetting.values["more_credentials"] == []
    assert forgetting.values["client_key"] == "", "it goes with its certificate"


def test_what_the_form_refuses_of_these() -> None:
    wrong = {"proxy": "proxy.example.com", "more_credentials": "no colon", "timeout": "0", "speed": "-1"}
    form = RegistryForm(FILLED | {"type": "harbor"} | wrong)
    assert not form.is_valid() and set(form.errors) == set(wrong)
    assert form.is_unfolded
