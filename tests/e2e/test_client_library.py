"""A Python client written for Harbor (harborapi), which checks every answer against models of Harbor's API."""

import asyncio
import uuid
from collections.abc import Awaitable
from datetime import datetime
from typing import Any

import pytest
from harborapi import HarborAsyncClient, models
from harborapi.exceptions import Conflict, Forbidden, NotFound, PreconditionFailed, Unauthorized

from tests.e2e import people
from tests.support import oci
from tests.support.services import wait_until
from tests.support.stack import Stack


class Client:
    """The library's asynchronous client, called one call after the other."""

    def __init__(self, stack: Stack, who: people.Account | None = None) -> None:
        name, secret = who or stack.admin
        verify: Any = str(stack.ca_file) if stack.url.startswith("https") else True
        self._client = HarborAsyncClient(f"{stack.url}/api/v2.0", name, secret, verify=verify, retry=None, timeout=60)
        self._loop = asyncio.new_event_loop()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return lambda *args, **kwargs: self._wait(method(*args, **kwargs))

    def _wait(self, call: Awaitable[Any]) -> Any:
        return self._loop.run_until_complete(call)

    def close(self) -> None:
        self._loop.run_until_complete(self._client.client.aclose())
        self._loop.close()


@pytest.fixture
def admin(stack: Stack) -> Any:
    client = Client(stack)
    yield client
    client.close()


@pytest.fixture
def team(stack: Stack) -> str:
    return people.project(stack)


def pushed(stack: Stack, repository: str, tag: str = "1.0") -> str:
    """Push a small image; its digest."""
    content = oci.image()
    with stack.client() as client:
        client.headers["Authorization"] = f"Bearer {stack.token(f'repository:{repository}:pull,push')}"
        answer = oci.push(client, repository, tag, content)
    assert answer.status_code == 201, answer.text
    return oci.digest_of(content.manifest)


def made(location: str) -> int:
    """The id at the end of what a creation returned."""
    return int(location.rpartition("/")[2])


def test_the_system(admin: Any) -> None:
    assert admin.ping() == "Pong"
    assert admin.health_check().status == "healthy"
    info = admin.get_system_info()
    assert info.auth_mode == "db_auth" and info.harbor_version
    assert admin.get_system_volume_info().storage
    assert admin.get_statistics().total_project_count >= 1
    assert admin.get_permissions().system
    assert admin.get_current_user().username == "admin"
    assert admin.get_current_user_permissions("/project/library", relative=True)
    before = admin.get_config()
    admin.update_config(models.Configurations(robot_token_duration=45))
    assert admin.get_config().robot_token_duration.value == 45
    admin.update_config(models.Configurations(robot_token_duration=before.robot_token_duration.value))
    admin.update_cve_allowlist(models.CVEAllowlist(items=[models.CVEAllowlistItem(cve_id="CVE-2024-1")]))
    assert [item.cve_id for item in admin.get_cve_allowlist().items] == ["CVE-2024-1"]
    admin.update_cve_allowlist(models.CVEAllowlist(items=[]))


def test_users(stack: Stack, admin: Any) -> None:
    name = f"user-{uuid.uuid4().hex[:8]}"
    first, second = "Pass-Word-1", "Pass-Word-2"
    user = admin.create_user(
        models.UserCreationReq(username=name, email=f"{name}@example.com", realname="R", password=first)
    )
    number = made(user)
    assert admin.get_user(number).username == admin.get_user_by_username(name).username == name
    assert [row.username for row in admin.search_users_by_username(name)] == [name]
    assert [row.username for row in admin.get_users(query=f"username={name}")] == [name]
    admin.update_user(number, models.UserProfile(email=f"{name}@example.org", realname="Changed", comment="c"))
    assert admin.get_user(number).realname == "Changed"
    own = Client(stack, (name, first))
    try:
        own.set_user_password(number, second, first)
        with pytest.raises(Unauthorized):
            own.get_current_user()
    finally:
        own.close()
    admin.set_user_admin(number, True)
    assert admin.get_user(number).sysadmin_flag is True
    admin.delete_user(number)
    with pytest.raises(NotFound):
        admin.get_user(number)


def test_projects_and_members(stack: Stack, admin: Any) -> None:
    name = f"p{uuid.uuid4().hex[:10]}"
    request = models.ProjectReq(
        project_name=name, storage_limit=10_000_000, metadata=models.ProjectMetadata(public="false")
    )
    admin.create_project(request)
    with pytest.raises(Conflict):
        admin.create_project(request)
    assert admin.project_exists(name) and not admin.project_exists(f"{name}-not")
    project = admin.get_project(name)
    assert (project.name, project.owner_name, project.metadata.public) == (name, "admin", "false")
    assert [row.name for row in admin.get_projects(query=f"name={name}")] == [name]
    admin.update_project(name, models.ProjectReq(metadata=models.ProjectMetadata(public="true")))
    assert admin.get_project(name).metadata.public == "true"
    admin.set_project_metadata(name, models.ProjectMetadata(auto_scan="true"))
    assert admin.get_project_metadata_entry(name, "auto_scan") == {"auto_scan": "true"}
    admin.update_project_metadata_entry(name, "auto_scan", {"auto_scan": "false"})
    assert admin.get_project_metadata(name).auto_scan == "false"
    admin.delete_project_metadata_entry(name, "auto_scan")

    account = people.account(stack)
    admin.add_project_member_user(name, account[0], 3)
    (row,) = [member for member in admin.get_project_members(name) if member.entity_name == account[0]]
    admin.update_project_member_role(name, row.id, 2)
    assert admin.get_project_member(name, row.id).role_name == "developer"
    own = Client(stack, account)
    try:
        assert own.get_project(name).current_user_role_id == 2
        with pytest.raises(Forbidden):
            own.delete_project(name)
    finally:
        own.close()
    admin.remove_project_member(name, row.id)

    summary = admin.get_project_summary(name)
    assert (summary.repo_count, summary.quota.hard.root["storage"]) == (0, 10_000_000)
    (quota,) = admin.get_quotas(reference="project", reference_id=str(project.project_id))
    admin.update_quota(quota.id, models.QuotaUpdateReq(hard=models.ResourceList(root={"storage": 20_000_000})))
    assert admin.get_quota(quota.id).hard.root["storage"] == 20_000_000
    assert admin.get_project_deletable(name).deletable is True
    pushed(stack, f"{name}/app")
    assert not admin.get_project_deletable(name).deletable
    with pytest.raises(PreconditionFailed):
        admin.delete_project(name)
    admin.delete_repository(name, "app")
    admin.delete_project(name)
    with pytest.raises(NotFound):
        admin.get_project(name)


def test_artifacts(stack: Stack, admin: Any, team: str) -> None:
    digest = pushed(stack, f"{team}/deep/app")
    repository = admin.get_repository(team, "deep/app")
    assert (repository.name, repository.artifact_count) == (f"{team}/deep/app", 1)
    admin.update_repository(team, "deep/app", models.Repository(description="**Words**"))
    assert admin.get_repository(team, "deep/app").description == "**Words**"
    assert [row.name for row in admin.get_repositories(team)] == [f"{team}/deep/app"]
    assert [row.repository_name for row in admin.search(team).repository] == [f"{team}/deep/app"]
    (artifact,) = admin.get_artifacts(team, "deep/app", with_tag=True, with_label=True)
    assert (artifact.digest, artifact.type, [tag.name for tag in artifact.tags]) == (digest, "IMAGE", ["1.0"])
    assert admin.get_artifact(team, "deep/app", "1.0").digest == digest
    assert [row.digest for row in admin.get_project_artifacts(team)] == [digest]
    admin.create_artifact_tag(team, "deep/app", digest, models.Tag(name="stable"))
    assert {tag.name for tag in admin.get_artifact_tags(team, "deep/app", "1.0")} == {"1.0", "stable"}
    admin.delete_artifact_tag(team, "deep/app", "stable", "stable")
    (step,) = admin.get_artifact_build_history(team, "deep/app", "1.0")
    assert step.created_by == "COPY content /"
    assert admin.get_artifact_accessories(team, "deep/app", "1.0") == []

    project = admin.get_project(team).project_id
    label = made(admin.create_label(models.Label(name="ready", color="#00AB9A", scope="p", project_id=project)))
    admin.add_artifact_label(team, "deep/app", "1.0", models.Label(id=label))
    assert [row.name for row in admin.get_artifact(team, "deep/app", "1.0", with_label=True).labels] == ["ready"]
    admin.delete_artifact_label(team, "deep/app", "1.0", label)
    admin.update_label(label, models.Label(name="done", color="#00AB9A", scope="p", project_id=project))
    assert [row.name for row in admin.get_labels(scope="p", project_id=project)] == ["done"]
    admin.delete_label(label)

    admin.copy_artifact(team, "copies", f"{team}/deep/app:1.0")
    assert admin.get_artifact(team, "copies", "1.0").digest == digest
    admin.delete_artifact(team, "copies", "1.0")
    with pytest.raises(NotFound):
        admin.get_artifact(team, "copies", "1.0")
    operations = {(row.operation, row.resource_type) for row in admin.get_project_logs(team)}
    assert {("create", "artifact"), ("delete", "artifact"), ("create", "tag")} <= operations, operations
    assert all(isinstance(row.op_time, datetime) for row in admin.get_audit_logs(limit=5))


def test_robots(stack: Stack, admin: Any, team: str) -> None:
    access = [models.Access(resource="repository", action=action) for action in ("pull", "push")]
    permission = models.RobotPermission(kind="project", namespace=team, access=access)
    robot = admin.create_robot(
        models.RobotCreate(name="ci", level="project", duration=30, permissions=[permission], disable=False)
    )
    assert robot.name == f"robot${team}+ci"
    stack.token(f"repository:{team}/app:pull,push", auth=(robot.name, robot.secret))
    secret = "Another-Secret-1"
    assert admin.refresh_robot_secret(robot.id, secret).secret in ("", None)
    found = admin.get_robot(robot.id)
    found.description = "builds"
    admin.update_robot(robot.id, found)
    project = admin.get_project(team).project_id
    (row,) = admin.get_robots(query=f"Level=project,ProjectID={project}")
    assert (row.id, row.description, row.permissions[0].namespace) == (robot.id, "builds", team)
    admin.delete_robot(robot.id)
    with pytest.raises(NotFound):
        admin.get_robot(robot.id)


def test_policies(admin: Any, team: str) -> None:
    selector = {"kind": "doublestar", "decoration": "matches", "pattern": "v*"}
    scope = {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]}
    body = {"template": "immutable_template", "action": "immutable", "tag_selectors": [selector]}
    rule = models.ImmutableRule.model_validate(body | {"scope_selectors": scope})
    number = made(admin.create_project_immutable_tag_rule(team, rule))
    admin.enable_project_immutable_tagrule(team, number, False)
    (row,) = admin.get_project_immutable_tag_rules(team)
    assert (row.id, row.disabled, row.tag_selectors[0].pattern) == (number, True, "v*")
    admin.delete_project_immutable_tag_rule(team, number)

    assert admin.get_retention_metadata().templates
    keep = {"template": "latestPushedK", "action": "retain", "params": {"latestPushedK": 3}}
    rules = [keep | {"tag_selectors": [selector], "scope_selectors": scope}]
    policy = models.RetentionPolicy.model_validate(
        {
            "algorithm": "or",
            "rules": rules,
            "trigger": {"kind": "Schedule", "settings": {"cron": ""}},
            "scope": {"level": "project", "ref": admin.get_project(team).project_id},
        }
    )
    admin.create_retention_policy(policy)
    retention = admin.get_project_retention_id(team)
    assert admin.get_retention_policy(retention).rules[0].template == "latestPushedK"
    admin.start_retention_execution(retention, dry_run=True)
    wait_until(lambda: admin.get_retention_executions(retention)[0].status == "Success", 30, "the dry run to end")
    assert admin.get_retention_executions(retention)[0].dry_run is True

    events = admin.get_webhook_supported_events(team)
    assert "PUSH_ARTIFACT" in [event.root for event in events.event_type]
    target = models.WebhookTargetObject(type="http", address="http://127.0.0.1:9/hook", skip_cert_verify=False)
    hook = models.WebhookPolicy(name="ci", enabled=True, event_types=["PUSH_ARTIFACT"], targets=[target])
    number = made(admin.create_webhook_policy(team, hook))
    found = admin.get_webhook_policy(team, number)
    found.enabled = False
    admin.update_webhook_policy(team, number, found)
    assert [row.enabled for row in admin.get_webhook_policies(team)] == [False]
    (last,) = admin.get_webhook_policy_last_trigger(team)
    assert (last.policy_name, last.event_type) == ("ci", "PUSH_ARTIFACT")
    admin.delete_webhook_policy(team, number)


def test_jobs(admin: Any) -> None:
    manual = models.Schedule.model_validate(
        {"schedule": {"type": "Manual"}, "parameters": {"delete_untagged": False, "dry_run": True}}
    )
    run = made(admin.create_gc_schedule(manual))
    wait_until(lambda: admin.get_gc_job(run).job_status == "Success", 60, "the collection to end")
    assert "the task ends as Success" in admin.get_gc_log(run, as_list=False)
    assert run in [row.id for row in admin.get_gc_jobs()]
    parameters = {"audit_retention_hour": 240_000, "include_event_types": "pull_artifact", "dry_run": True}
    purge = models.Schedule.model_validate({"schedule": {"type": "Manual"}, "parameters": parameters})
    run = made(admin.create_audit_log_rotation_schedule(purge))
    wait_until(lambda: admin.get_audit_log_rotation(run).job_status == "Success", 60, "the rotation to end")
    assert "dry run" in admin.get_audit_log_rotation_log(run)


def test_registries_and_replication(stack: Stack, admin: Any) -> None:
    assert {"harbor", "docker-registry"} <= set(admin.get_registry_adapters())
    assert admin.get_registry_providers().root
    name = f"r{uuid.uuid4().hex[:8]}"
    credential = models.RegistryCredential(type="basic", access_key=stack.admin[0], access_secret=stack.admin[1])
    registry = models.Registry(name=name, type="harbor", url=stack.url, insecure=True, credential=credential)
    number = made(admin.create_registry(registry))
    assert admin.get_registry(number).credential.access_secret != stack.admin[1]
    assert admin.get_registry_info(number).supported_triggers
    admin.update_registry(number, models.RegistryUpdate(description="itself"))
    assert [row.description for row in admin.get_registries(name=name)] == ["itself"]
    policy = models.ReplicationPolicy.model_validate(
        {
            "name": name,
            "src_registry": {"id": number},
            "dest_namespace": "library",
            "filters": [{"type": "name", "value": "nothing/**"}],
            "trigger": {"type": "manual"},
            "enabled": True,
            "override": True,
        }
    )
    rule = made(admin.create_replication_policy(policy))
    found = admin.get_replication_policy(rule)
    assert (found.name, found.src_registry.id, found.filters[0].value) == (name, number, "nothing/**")
    execution = made(admin.start_replication(rule))
    wait_until(lambda: admin.get_replication(execution).status != "InProgress", 60, "the replication to end")
    assert admin.get_replication(execution).status == "Succeed"
    assert [row.id for row in admin.get_replications(policy_id=rule)] == [execution]
    assert admin.get_replication_tasks(execution) == []
    with pytest.raises(PreconditionFailed):
        admin.delete_registry(number)
    admin.delete_replication_policy(rule)
    admin.delete_registry(number)
    with pytest.raises(NotFound):
        admin.get_registry(number)
