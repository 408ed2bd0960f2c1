"""Repositories, artifacts, tags and the trash. What belongs to a repository follows ``/-/``: no name has that part."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from portal.navigation import Entry, Section, add
from portal.views import artifact_edits, deletions, repository_pages, trash

_PROJECT = "harbor/projects/<str:project>"
_REPOSITORY = f"{_PROJECT}/repositories/<portal_repository:repository>"
_ARTIFACT = f"{_REPOSITORY}/artifacts/<portal_digest:digest>/-"

urlpatterns = [
    path(f"{_PROJECT}/repositories/-/delete", deletions.repositories_delete, name="repositories-delete"),
    path(f"{_REPOSITORY}/-/info", repository_pages.info, name="repository-info"),
    path(f"{_REPOSITORY}/-/history", repository_pages.history, name="repository-history"),
    path(f"{_REPOSITORY}/-/deleted", repository_pages.deleted, name="repository-deleted"),
    path(f"{_REPOSITORY}/-/restore", repository_pages.tag_restore, name="tag-restore"),
    path(f"{_REPOSITORY}/-/tags/delete", deletions.tags_delete, name="tags-delete"),
    path(f"{_REPOSITORY}/-/artifacts/delete", deletions.artifacts_delete, name="artifacts-delete"),
    path(f"{_ARTIFACT}/tag", artifact_edits.tag_add, name="artifact-tag"),
    path(f"{_ARTIFACT}/labels", artifact_edits.labels_set, name="artifact-labels"),
    path(f"{_ARTIFACT}/copy", artifact_edits.artifact_copy, name="artifact-copy"),
    path(f"{_PROJECT}/trash", trash.project_trash, name="trash"),
    path(f"{_PROJECT}/trash/restore", trash.trash_restore, name="trash-restore"),
    path(f"{_PROJECT}/trash/discard", trash.trash_discard, name="trash-discard"),
    path("harbor/trash", trash.trash_overview, name="trash-overview"),
]
add(
    Entry(Section.PROJECT, 100, "portal:trash", _("Trash"), "trash-2", "artifact:delete"),
    Entry(Section.ADMINISTRATION, 75, "portal:trash-overview", _("Trash"), "trash-2", "garbage-collection:read"),
)
