"""Run-time settings: the catalogue, the rules, pins, secrets, and what is put on record."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harbor_core.lib import config_keys, crypto
from harbor_core.lib.config_keys import SettingError
from harbor_core.models import AuditLog, SystemConfig
from harbor_core.services import config
from tests.cast import Api, World, configure

PATH = "configurations"
INTERNAL = {"Authorization": "Harbor-Secret of-the-house"}
KINDS = {
    "auth_mode": "db_auth",
    "primary_auth_mode": False,
    "project_creation_restriction": "everyone",
    "self_registration": False,
    "read_only": False,
    "token_expiration": 30,
    "robot_token_duration": 30,
    "robot_name_prefix": "robot$",
    "session_timeout": 60,
    "notification_enable": True,
    "quota_per_project_enable": True,
    "storage_per_project": -1,
    "banner_message": "",
    "audit_log_forward_endpoint": "",
    "skip_audit_log_database": False,
    "disabled_audit_log_event_types": "",
    "scanner_skip_update_pulltime": False,
    "ldap_url": "",
    "ldap_uid": "cn",
    "ldap_scope": 2,
    "ldap_timeout": 5,
    "ldap_verify_cert": True,
    "ldap_group_membership_attribute": "memberof",
    "http_authproxy_verify_cert": True,
    "oidc_verify_cert": True,
    "oidc_extra_redirect_parms": "{}",
    "email_port": 25,
    "trash_retention_days": 7,
    "personal_token_max_days": 0,
}
SECRETS = ("ldap_search_password", "uaa_client_secret", "oidc_client_secret", "email_password")


def read(api: Api) -> dict[str, Any]:
    return {key: item["value"] for key, item in api("sysadmin", "GET", PATH).json().items()}


def put(api: Api, **values: Any) -> Any:
    response = api("sysadmin", "PUT", PATH, values)
    config.forget()  # otherwise with the commit
    return response


def message(response: Any) -> str:
    return response.json()["errors"][0]["message"]


def last_record() -> AuditLog:
    return AuditLog.objects.filter(resource_type="configuration").latest("id")


@contextmanager
def listening() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_defaults(api: Api) -> None:
    seen = api("sysadmin", "GET", PATH).json()
    assert KINDS.items() <= {key: item["value"] for key, item in seen.items()}.items()
    assert all(set(item) == {"value", "editable"} for item in seen.values())
    assert {key for key, item in seen.items() if not item["editable"]} == {"auth_mode"}  # the cast are users
    assert not set(SECRETS) & set(seen)
    assert not {"pull_audit_log_disable", "metric_port"} & set(seen)  # not the API's to change


def test_a_part_changes_and_the_rest_stays(api: Api) -> None:
    before = read(api)
    assert put(api, token_expiration=45, banner_message="Wartung ✓", unknown_key=1, read_only=None).status_code == 200
    assert read(api) == before | {"token_expiration": 45, "banner_message": "Wartung ✓"}
    row = last_record()
    assert (row.username, row.operation, row.resource) == ("admin", "update", "configuration")
    assert row.operation_description == (
        'update configuration: token_expiration: 30 -> 45, banner_message: "" -> "Wartung ✓"'
    )


def test_nothing_new_is_nothing_to_record(api: Api) -> None:
    assert put(api, token_expiration=30).status_code == 200
    assert put(api).status_code == 200
    assert not AuditLog.objects.filter(resource_type="configuration").exists()
    assert not SystemConfig.objects.exists()


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("auth_mode", "kerberos", 400),
        ("auth_mode", "ldap_auth", 400),  # there are users
        ("project_creation_restriction", "nobody", 400),
        ("token_expiration", 0, 400),
        ("token_expiration", 9_999_999_999, 200),
        ("token_expiration", 10_000_000_000, 400),
        ("token_expiration", "30", 422),
        ("token_expiration", 1.5, 422),
        ("token_expiration", True, 422),
        ("robot_token_duration", -1, 400),
        ("session_timeout", 0, 400),
        ("session_timeout", 9_999_999_999, 200),
        ("robot_name_prefix", "", 400),
        ("robot_name_prefix", "  ", 400),
        ("robot_name_prefix", "a:b", 400),
        ("robot_name_prefix", "a\nb", 400),
        ("robot_name_prefix", "bot-", 200),
        ("storage_per_project", 0, 400),
        ("storage_per_project", -2, 400),
        ("storage_per_project", -1, 200),
        ("storage_per_project", 2**63 - 1, 200),
        ("storage_per_project", 2**63, 422),
        ("read_only", "true", 422),
        ("banner_message", "x" * 65_537, 422),
        ("ldap_url", "", 200),  # as it is
        ("ldap_uid", "", 400),
        ("ldap_scope", 3, 400),
        ("ldap_timeout", 0, 400),
        ("oidc_extra_redirect_parms", '{"a":"b"}', 200),
        ("oidc_extra_redirect_parms", '{"a":1}', 400),
        ("oidc_extra_redirect_parms", "[", 400),
        ("trash_retention_days", 0, 200),
        ("trash_retention_days", -1, 400),
        ("personal_token_max_days", -1, 400),
        ("audit_log_forward_endpoint", "nowhere", 400),
        ("audit_log_forward_endpoint", "host:0", 400),
        ("audit_log_forward_endpoint", "127.0.0.1:1", 400),  # nobody listens
        ("audit_log_forward_endpoint", "\u00e9" * 70 + ".example:514", 400),
        ("skip_audit_log_database", True, 400),
    ],
)
def test_rules(api: Api, key: str, value: Any, status: int) -> None:
    before = read(api)
    response = put(api, **{"notification_enable": False, key: value})
    assert response.status_code == status
    if status == 200:
        assert read(api)[key] == value
    else:
        assert key in message(response)
        assert read(api) == before  # all or nothing


def test_auth_mode_while_there_is_nobody(world: World) -> None:
    for user in world.users.values():
        if user.pk != world.users["sysadmin"].pk:
            user.deleted = True
            user.save()
    assert world.api("sysadmin", "GET", PATH).json()["auth_mode"]["editable"] is True
    assert put(world.api, auth_mode="oidc_auth", oidc_name="corp").status_code == 200
    assert read(world.api)["auth_mode"] == "oidc_auth"
    # Somebody came: now it stays, and sending it back as it was read is no change.
    world.users["guest"].deleted = False
    world.users["guest"].save()
    assert put(world.api, auth_mode="oidc_auth").status_code == 200
    assert put(world.api, auth_mode="db_auth").status_code == 400
    info = world.api("anonymous", "GET", "systeminfo").json()
    assert (info["auth_mode"], info["oidc_provider_name"]) == ("oidc_auth", "corp")


def test_secrets_are_kept_and_never_shown(api: Api) -> None:
    assert put(api, oidc_client_secret="s3cret", ldap_search_password="pässword").status_code == 200
    assert not set(SECRETS) & set(read(api))
    stored = SystemConfig.objects.get(pk="oidc_client_secret").value
    assert "s3cret" not in stored
    assert crypto.decrypt(stored) == "s3cret"
    assert config.config_get("ldap_search_password") == "pässword"
    assert "s3cret" not in last_record().operation_description
    assert "oidc_client_secret: (none) -> ***" in last_record().operation_description
    before = AuditLog.objects.count()
    assert put(api, oidc_client_secret="s3cret").status_code == 200
    assert AuditLog.objects.count() == before
    assert put(api, oidc_client_secret="").status_code == 200
    assert config.config_get("oidc_client_secret") == ""


def test_a_secret_of_a_lost_key_can_be_replaced(api: Api, settings: Any) -> None:
    SystemConfig.objects.create(key="oidc_client_secret", value="gAAAA-of-another-key")
    assert api("sysadmin", "GET", PATH).status_code == 200
    assert put(api, oidc_client_secret="new").status_code == 200
    assert config.config_get("oidc_client_secret") == "new"


def test_other_processes_are_not_believed(api: Api) -> None:
    """A change is judged by what is stored, not by what this process remembers of it."""
    assert config.config_get("read_only") is False
    SystemConfig.objects.create(key="read_only", value=True)
    assert config.config_get("read_only") is False  # remembered
    assert put(api, read_only=False).status_code == 200
    assert SystemConfig.objects.get(pk="read_only").value is False
    SystemConfig.objects.filter(pk="read_only").update(value=True)
    assert read(api)["read_only"] is True


def test_a_change_is_seen_here_at_once(api: Api, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        put(api, self_registration=True)
    assert api("anonymous", "GET", "systeminfo").json()["self_registration"] is True


def test_read_only_mode_can_be_ended(api: Api) -> None:
    configure(read_only=True)
    assert put(api, read_only=False).status_code == 200
    assert read(api)["read_only"] is False


def test_pinned_settings(api: Api, settings: Any) -> None:
    settings.CONFIG_OVERWRITE = config_keys.overwrite(
        '{"token_expiration": 99, "oidc_client_secret": "pinned", "pull_audit_log_disable": true}'
    )
    configure(token_expiration=50)
    seen = api("sysadmin", "GET", PATH).json()
    assert seen["token_expiration"] == {"value": 99, "editable": False}
    assert seen["session_timeout"]["editable"] is True
    assert config.config_get("oidc_client_secret") == "pinned"
    assert config.config_get("pull_audit_log_disable") is True
    for body in ({"token_expiration": 30}, {"oidc_client_secret": "mine"}):
        refused = put(api, session_timeout=5, **body)
        assert refused.status_code == 403
        assert "CONFIG_OVERWRITE_JSON" in message(refused)
    assert read(api)["session_timeout"] == 60
    assert put(api, token_expiration=99, session_timeout=5).status_code == 200  # what was read may be sent back


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '"x"', '{"nonsense": 1}', '{"metric_port": 1}', '{"read_only": "yes"}', '{"token_expiration": 0}'],
)
def test_pins_that_cannot_be(text: str) -> None:
    with pytest.raises(SettingError, match="CONFIG_OVERWRITE_JSON"):
        config_keys.overwrite(text)


def test_settings_of_the_environment(settings: Any, db: None) -> None:
    given = {"HARBOR_PULL_AUDIT_LOG_DISABLE": "true", "HARBOR_METRIC_PORT": "9999", "HARBOR_READ_ONLY": "true"}
    found = config_keys.from_environment(lambda name: given.get(name, ""))
    assert found == {"pull_audit_log_disable": True, "metric_port": 9999}  # read_only is not the environment's
    settings.CONFIG_ENVIRONMENT = found
    config.forget()
    assert config.config_get("metric_port") == 9999
    SystemConfig.objects.create(key="metric_port", value=1)  # and nobody else's
    config.forget()
    assert config.config_get("metric_port") == 9999
    with pytest.raises(SettingError, match="HARBOR_METRIC_PORT"):
        config_keys.from_environment(lambda name: "many" if name == "HARBOR_METRIC_PORT" else "")


def test_unknown_settings_are_a_mistake_in_the_program(db: None) -> None:
    with pytest.raises(KeyError):
        config.config_get("nonsense")
    with pytest.raises(KeyError):
        config.config_set(nonsense=1)


# ---------------------------------------------------------------------- audit log settings


def test_skipping_the_database_needs_an_endpoint(api: Api) -> None:
    with listening() as endpoint:
        assert put(api, skip_audit_log_database=True, audit_log_forward_endpoint=endpoint).status_code == 200
        refused = put(api, audit_log_forward_endpoint="")
        assert refused.status_code == 400
        assert put(api, audit_log_forward_endpoint="", skip_audit_log_database=False).status_code == 200


def test_an_endpoint_that_is_away_now_does_not_block_other_changes(api: Api) -> None:
    with listening() as endpoint:
        assert put(api, audit_log_forward_endpoint=endpoint).status_code == 200
    assert put(api, audit_log_forward_endpoint=endpoint, token_expiration=31).status_code == 200


def test_turning_the_log_down_is_on_record(api: Api) -> None:
    configure(disabled_audit_log_event_types="update_configuration")
    assert put(api, token_expiration=31).status_code == 200
    assert not AuditLog.objects.filter(resource_type="configuration").exists()
    assert put(api, disabled_audit_log_event_types="update_configuration,delete_user").status_code == 200
    assert "delete_user" in last_record().operation_description


# ---------------------------------------------------------------------- for the system's own parts


def test_internal(api: Api, settings: Any) -> None:
    settings.INTERNAL_SECRET = "of-the-house"
    put(api, oidc_client_secret="s3cret")
    seen = api("anonymous", "GET", "internalconfig", headers=INTERNAL).json()
    assert seen["oidc_client_secret"] == {"value": "s3cret", "editable": True}
    assert seen["metric_port"] == {"value": 9090, "editable": False}
    assert set(seen) == set(config_keys.SETTINGS)
    for wrong in ("Harbor-Secret", "Harbor-Secret x", "Harbor-Secret of-the-house-", "Bearer of-the-house"):
        assert api("anonymous", "GET", "internalconfig", headers={"Authorization": wrong}).status_code == 401
    visible = api("sysadmin", "GET", "internalconfig").json()
    assert set(visible) == set(config_keys.SETTINGS) - set(SECRETS)
    assert visible["metric_port"] == {"value": 9090, "editable": False}
    assert api("guest", "GET", "internalconfig").status_code == 403


def test_internal_without_a_secret_is_closed(api: Api) -> None:
    for header in ("Harbor-Secret", "Harbor-Secret ", "harbor-secret  "):
        assert api("anonymous", "GET", "internalconfig", headers={"Authorization": header}).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_many_changes_at_once(world: World) -> None:
    statuses: list[int] = []

    def change(minutes: int) -> None:
        from django.db import connection

        statuses.append(put(world.api, token_expiration=minutes).status_code)
        connection.close()

    threads = [threading.Thread(target=change, args=(31 + number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    rows = AuditLog.objects.filter(resource_type="configuration")
    assert rows.count() == 6
    assert json.dumps(read(world.api)["token_expiration"]) in [str(31 + number) for number in range(6)]
