"""Routes below ``/api/v2.0`` about who you are."""

from django.urls import path

from auth.api import users

urlpatterns = [
    path("users", users.UserList.as_view()),
    path("users/search", users.UserSearch.as_view()),
    path("users/current", users.CurrentUser.as_view()),
    path("users/current/permissions", users.CurrentPermissions.as_view()),
    path("users/<str:user_id>", users.UserDetail.as_view()),
    path("users/<str:user_id>/password", users.UserPassword.as_view()),
    path("users/<str:user_id>/sysadmin", users.UserSysadmin.as_view()),
    path("users/<str:user_id>/cli_secret", users.UserCliSecret.as_view()),
]
