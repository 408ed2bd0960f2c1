"""Routes below ``/api/v2.0`` about remote registries."""

from django.urls import path

from replication.api import drift, executions, policies, registries

urlpatterns = [
    path("registries", registries.RegistryList.as_view()),
    path("registries/ping", registries.RegistryPing.as_view()),
    path("registries/<str:id>", registries.RegistryItem.as_view()),
    path("registries/<str:id>/info", registries.RegistryInfo.as_view()),
    path("replication/adapters", registries.AdapterList.as_view()),
    path("replication/adapterinfos", registries.AdapterInfos.as_view()),
    path("replication/policies", policies.PolicyList.as_view()),
    path("replication/policies/<str:id>", policies.PolicyItem.as_view()),
    path("replication/policies/<str:id>/drift", drift.DriftItem.as_view()),
    path("replication/drift", drift.DriftList.as_view()),
    path("replication/executions", executions.ExecutionList.as_view()),
    path("replication/executions/<str:id>", executions.ExecutionItem.as_view()),
    path("replication/executions/<str:id>/tasks", executions.TaskList.as_view()),
    path("replication/executions/<str:id>/tasks/<str:task_id>/log", executions.TaskLog.as_view()),
]
