"""Routes below ``/api/v2.0`` about who you are."""

from django.urls import path

from auth.api import groups, robots, tokens, trusts, users

urlpatterns = [
    path("permissions", robots.Permissions.as_view()),
    path("robots", robots.RobotList.as_view()),
    path("robots/<str:robot_id>", robots.RobotItem.as_view()),
    path("robots/<str:robot_id>/trusts", trusts.TrustList.as_view()),
    path("robots/<str:robot_id>/trusts/<str:trust_id>", trusts.TrustItem.as_view()),
    path("users", users.UserList.as_view()),
    path("users/search", users.UserSearch.as_view()),
    path("users/current", users.CurrentUser.as_view()),
    path("users/current/permissions", users.CurrentPermissions.as_view()),
    path("users/current/tokens", tokens.OwnTokenList.as_view()),
    path("users/current/tokens/<str:token_id>", tokens.OwnToken.as_view()),
    path("users/<str:user_id>", users.UserDetail.as_view()),
    path("users/<str:user_id>/password", users.UserPassword.as_view()),
    path("users/<str:user_id>/sysadmin", users.UserSysadmin.as_view()),
    path("users/<str:user_id>/cli_secret", users.UserCliSecret.as_view()),
    path("users/<str:user_id>/tokens", tokens.UserTokenList.as_view()),
    path("users/<str:user_id>/tokens/<str:token_id>", tokens.UserToken.as_view()),
    path("usergroups", groups.GroupList.as_view()),
    path("usergroups/search", groups.GroupSearch.as_view()),
    path("usergroups/<str:group_id>", groups.GroupItem.as_view()),
]
