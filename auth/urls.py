from django.urls import path

from auth import session_api, token_api

urlpatterns = [
    path("service/token", token_api.token),
    path("c/login", session_api.login),
    path("c/log_out", session_api.log_out),
    path("c/userExists", session_api.user_exists),
]
