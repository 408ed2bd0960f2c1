"""What every setting is called and what it does, as people read it. Rules: harbor_core.lib.config_keys."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = str | Promise
MODES: dict[str, Words] = {
    "db_auth": _("Accounts of this registry"),
    "ldap_auth": _("LDAP"),
    "uaa_auth": _("UAA"),
    "http_auth": _("HTTP authentication proxy"),
    "oidc_auth": _("OIDC"),
}
SCOPES = {0: _("Base"), 1: _("One level"), 2: _("Subtree")}
CHOICES: dict[str, dict[Any, Any]] = {
    "auth_mode": dict(MODES),
    "project_creation_restriction": {"everyone": _("Everyone"), "adminonly": _("Administrators only")},
    "ldap_scope": dict(SCOPES),
    "ldap_group_search_scope": dict(SCOPES),
}
# Key -> (name, explanation).
WORDS: dict[str, tuple[Words, Words]] = {
    "auth_mode": (_("Authentication"), _("Where accounts come from. It cannot change once there are users.")),
    "primary_auth_mode": (_("Main way to sign in"), _("The sign-in page goes to the identity provider by itself.")),
    "self_registration": (_("Self-registration"), _("Anyone who reaches the sign-in page can make an account.")),
    "project_creation_restriction": (_("Who may create projects"), ""),
    "read_only": (_("Read-only"), _("Pulls work, pushes and deletions are refused.")),
    "token_expiration": (_("Registry token lifetime (minutes)"), _("How long a token that a client got is valid.")),
    "session_timeout": (_("Session timeout (minutes)"), _("How long a sign-in here lasts without use.")),
    "robot_name_prefix": (_("Prefix of robot accounts"), _("Names of new and known robot accounts begin with it.")),
    "robot_token_duration": (_("Lifetime of robot accounts (days)"), _("Where none is given when one is created.")),
    "personal_token_max_days": (_("Longest lifetime of personal tokens (days)"), _("0: a token may live for ever.")),
    "notification_enable": (_("Webhooks"), _("Projects may send events to webhooks.")),
    "quota_per_project_enable": (_("Storage limits"), _("Pushes beyond a project's limit are refused.")),
    "trash_retention_days": (_("Days in the trash"), _("0: what is deleted is gone at once.")),
    "scanner_skip_update_pulltime": (_("Scanners leave the pull time"), _("A pull by a scanner is no use.")),
    "audit_log_forward_endpoint": (_("Send the audit log to (syslog)"), _("host:port; empty to send it nowhere.")),
    "skip_audit_log_database": (_("Keep no audit log here"), _("Entries are only sent; needs an address above.")),
    "disabled_audit_log_event_types": (_("Events that are not logged"), ""),
    "ldap_url": (_("LDAP URL"), _("Such as ldaps://ldap.example.com.")),
    "ldap_search_dn": (_("Search DN"), _("Who searches the directory; empty for anonymous.")),
    "ldap_search_password": (_("Search password"), ""),
    "ldap_base_dn": (_("Base DN"), _("Where people are looked for.")),
    "ldap_filter": (_("Filter"), ""),
    "ldap_uid": (_("Attribute of the user name"), _("Such as uid, cn or sAMAccountName.")),
    "ldap_scope": (_("Search scope"), ""),
    "ldap_timeout": (_("Timeout (seconds)"), ""),
    "ldap_verify_cert": (_("Verify the certificate of LDAP"), ""),
    "ldap_group_base_dn": (_("Base DN of groups"), _("Empty: groups are not looked for.")),
    "ldap_group_search_filter": (_("Filter of groups"), ""),
    "ldap_group_attribute_name": (_("Attribute of the group name"), ""),
    "ldap_group_admin_dn": (_("Group of administrators (DN)"), _("Its members are system administrators.")),
    "ldap_group_membership_attribute": (_("Attribute of membership"), ""),
    "ldap_group_search_scope": (_("Search scope of groups"), ""),
    "ldap_group_attach_parallel": (_("Look up groups in parallel"), ""),
    "uaa_endpoint": (_("UAA endpoint"), ""),
    "uaa_client_id": (_("UAA client ID"), ""),
    "uaa_client_secret": (_("UAA client secret"), ""),
    "uaa_verify_cert": (_("Verify the certificate of UAA"), ""),
    "http_authproxy_endpoint": (_("Server endpoint"), ""),
    "http_authproxy_tokenreview_endpoint": (_("Token review endpoint"), ""),
    "http_authproxy_admin_groups": (_("Groups of administrators"), _("Separated by commas.")),
    "http_authproxy_admin_usernames": (_("Names of administrators"), _("Separated by commas.")),
    "http_authproxy_server_certificate": (_("Certificate of the server (PEM)"), ""),
    "http_authproxy_verify_cert": (_("Verify the certificate of the proxy"), ""),
    "http_authproxy_skip_search": (_("Skip search"), _("A name can become a member before its owner has signed in.")),
    "oidc_name": (_("OIDC provider name"), _("What the sign-in button says.")),
    "oidc_endpoint": (_("OIDC endpoint"), _("The issuer, beginning with https://.")),
    "oidc_client_id": (_("OIDC client ID"), ""),
    "oidc_client_secret": (_("OIDC client secret"), ""),
    "oidc_groups_claim": (_("Group claim name"), ""),
    "oidc_admin_group": (_("OIDC admin group"), _("Its members are system administrators.")),
    "oidc_group_filter": (_("OIDC group filter"), _("A regular expression; other groups are left out.")),
    "oidc_scope": (_("OIDC scope"), _("Separated by commas; openid is needed.")),
    "oidc_user_claim": (_("Username claim"), ""),
    "oidc_verify_cert": (_("Verify the certificate of OIDC"), ""),
    "oidc_auto_onboard": (_("Automatic onboarding"), _("No question for a user name at the first sign-in.")),
    "oidc_logout": (_("Sign out at the provider, too"), ""),
    "oidc_extra_redirect_parms": (_("Extra parameters of the redirect"), _("A JSON object of strings.")),
}  # fmt: skip
LONG = ("http_authproxy_server_certificate",)
GENERAL = (
    (_("Projects"), ("project_creation_restriction", "quota_per_project_enable", "trash_retention_days")),
    (_("Operation"), ("read_only", "notification_enable", "scanner_skip_update_pulltime")),
    (_("Sessions and tokens"), ("session_timeout", "token_expiration", "personal_token_max_days")),
    (_("Robot accounts"), ("robot_name_prefix", "robot_token_duration")),
    (_("Audit log"), ("audit_log_forward_endpoint", "skip_audit_log_database", "disabled_audit_log_event_types")),
)
# What belongs to a way of signing in, by its mode.
SIGN_IN = {
    "db_auth": ("self_registration",),
    "ldap_auth": tuple(key for key in WORDS if key.startswith("ldap_")),
    "uaa_auth": tuple(key for key in WORDS if key.startswith("uaa_")),
    "http_auth": ("primary_auth_mode", *(key for key in WORDS if key.startswith("http_"))),
    "oidc_auth": tuple(key for key in WORDS if key.startswith("oidc_")),
}
