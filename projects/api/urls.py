"""Routes below ``/api/v2.0`` about content. The guard of a route is its view's ``permissions``."""

from django.urls import path

from projects.api import artifacts, members, metadata, projects, repositories

PROJECT = "projects/<str:project_name_or_id>"
REPOSITORIES = "projects/<str:project_name>/repositories"
REPOSITORY = f"{REPOSITORIES}/<str:repository_name>"
ARTIFACT = f"{REPOSITORY}/artifacts/<str:reference>"

urlpatterns = [
    path("search", projects.Search.as_view()),
    path("statistics", projects.Statistics.as_view()),
    path("projects", projects.ProjectList.as_view()),
    path(PROJECT, projects.ProjectItem.as_view()),
    path(f"{PROJECT}/_deletable", projects.ProjectDeletable.as_view()),
    path(f"{PROJECT}/summary", projects.ProjectSummary.as_view()),
    path(f"{PROJECT}/members", members.MemberList.as_view()),
    path(f"{PROJECT}/members/<str:mid>", members.MemberItem.as_view()),
    path(f"{PROJECT}/metadatas", metadata.MetadataList.as_view()),
    path(f"{PROJECT}/metadatas/<str:meta_name>", metadata.MetadataItem.as_view()),
    path(f"{PROJECT}/artifacts", artifacts.ProjectArtifactList.as_view()),
    path("repositories", repositories.AllRepositories.as_view()),
    path(REPOSITORIES, repositories.RepositoryList.as_view()),
    path(REPOSITORY, repositories.RepositoryItem.as_view()),
    path(f"{REPOSITORY}/artifacts", artifacts.ArtifactList.as_view()),
    path(ARTIFACT, artifacts.ArtifactItem.as_view()),
    path(f"{ARTIFACT}/tags", artifacts.TagList.as_view()),
    path(f"{ARTIFACT}/tags/<str:tag_name>", artifacts.TagItem.as_view()),
    path(f"{ARTIFACT}/accessories", artifacts.AccessoryList.as_view()),
    path(f"{ARTIFACT}/additions/<str:addition>", artifacts.Addition.as_view()),
]
