"""The only settings file. Everything an operator may set is read from the environment (docs/configuration.md)."""

import os
from pathlib import Path

import drf_spectacular_sidecar
from django.core.exceptions import ImproperlyConfigured

from harbor_core.env import (
    ConfigError,
    database_config,
    env_address,
    env_bool,
    env_choice,
    env_int,
    env_list,
    env_str,
    env_targets,
    internal_tls,
    internal_url,
    public_url,
)
from harbor_core.lib import redis, trace_settings, tracing
from harbor_core.lib.config_keys import SettingError, from_environment, overwrite

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "v2.15.0"  # the contract level clients ask for; the product's own version follows it in systeminfo

try:
    # ------------------------------------------------------------------ where things are
    DATA_DIR = Path(env_str("HARBOR_DATA_DIR", str(BASE_DIR / "var"))).resolve()
    RUN_DIR = Path(env_str("HARBOR_RUN_DIR", str(DATA_DIR / "run")))
    PORT = env_int("HARBOR_PORT", 8080, low=1, high=65535)
    EXTERNAL_URL = public_url(env_str("HARBOR_EXTERNAL_URL", f"http://localhost:{PORT}"))
    # Full URLs under which clients may reach us; scheme and port come from the matching entry, never from a header.
    PUBLIC_URLS = [EXTERNAL_URL, *(public_url(url) for url in env_list("HARBOR_PUBLIC_URLS"))]
    TRUSTED_PROXIES = env_list("HARBOR_TRUSTED_PROXIES")
    # Targets outside the public internet that users may make this server call (harbor_core.lib.ssrf).
    OUTBOUND_ALLOWED = env_targets("HARBOR_OUTBOUND_ALLOWED")
    CA_FILE = env_str("HARBOR_CA_FILE")
    LOG_FORMAT = env_choice("HARBOR_LOG_FORMAT", "plain", ("plain", "json"))
    LOG_LEVEL = env_choice("HARBOR_LOG_LEVEL", "info", ("debug", "info", "warning", "error", "critical")).upper()

    # ------------------------------------------------------------------ secrets and keys
    SECRET_KEY = env_str("HARBOR_SECRET_KEY")
    # Earlier keys: sessions and stored secrets made under them stay readable.
    SECRET_KEY_FALLBACKS = env_list("HARBOR_SECRET_KEY_FALLBACKS")
    REGISTRY_HTTP_SECRET = env_str("HARBOR_REGISTRY_HTTP_SECRET")
    KEY_DIR = Path(env_str("HARBOR_KEY_DIR", str(DATA_DIR / "keys")))
    TOKEN_KEY_DIR = Path(env_str("HARBOR_TOKEN_KEY_DIR", str(KEY_DIR / "token")))
    ADMIN_PASSWORD = env_str("HARBOR_ADMIN_PASSWORD", "Harbor12345")
    ADMIN_PASSWORD_IS_DEFAULT = not env_str("HARBOR_ADMIN_PASSWORD")

    # ------------------------------------------------------------------ backing services
    DATABASES = {"default": database_config(env_str("HARBOR_DATABASE_URL", f"sqlite:///{DATA_DIR}/harbor.db"))}
    REDIS = redis.parse(
        env_str("HARBOR_REDIS_URL", f"unix://{RUN_DIR}/redis.sock"),
        env_str("HARBOR_REDIS_USERNAME"),
        env_str("HARBOR_REDIS_PASSWORD"),
    )
    INTERNAL_TLS = None if os.environ.get("HARBOR_BUILD") == "1" else internal_tls()
    REGISTRY_URL = internal_url("HARBOR_REGISTRY_URL", f"unix:{RUN_DIR}/registry.sock", INTERNAL_TLS)

    # ------------------------------------------------------------------ storage (the registry's own driver options)
    STORAGE_DRIVER = env_choice(
        "HARBOR_STORAGE_DRIVER", "filesystem", ("filesystem", "s3", "gcs", "azure", "swift", "oss")
    )
    STORAGE_FILESYSTEM_ROOT = env_str("HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY", str(DATA_DIR / "registry"))
    STORAGE_REDIRECT = env_bool("HARBOR_STORAGE_REDIRECT", STORAGE_DRIVER != "filesystem")
    GATEWAY_SERVES_BLOBS = env_bool("HARBOR_GATEWAY_SERVES_BLOBS", STORAGE_DRIVER == "filesystem")

    # ------------------------------------------------------------------ jobs
    # A task whose worker gave no sign of life for so long is taken up by another; heartbeats come three times as often.
    JOB_LEASE_SECONDS = env_int("HARBOR_JOB_LEASE_SECONDS", 60, low=1, high=3600)
    JOB_SWEEP_SECONDS = env_int("HARBOR_JOB_SWEEP_SECONDS", 10, low=1, high=3600)
    JOB_LOGGERS = env_list("HARBOR_JOB_LOGGERS") or ["file"]
    if _unknown := sorted(set(JOB_LOGGERS) - {"file", "database", "storage", "stdout"}):
        raise ConfigError(f"HARBOR_JOB_LOGGERS: {_unknown[0]!r} is none of file, database, storage, stdout.")
    JOB_LOG_DIR = Path(env_str("HARBOR_JOB_LOG_DIR", str(DATA_DIR / "job_logs")))
    JOB_LOG_DAYS = env_int("HARBOR_JOB_LOG_DAYS", 14, low=1, high=3650)
    JOB_LOG_MAX_BYTES = env_int("HARBOR_JOB_LOG_MAX_BYTES", 10 * 1024 * 1024, low=4096)

    # ------------------------------------------------------------------ limits
    MANIFEST_MAX_BYTES = 4 * 1024 * 1024
    WAITING_THREADS = env_int("HARBOR_WAITING_THREADS", 48, low=2, high=500)
    AUTHZ_CACHE_SECONDS = env_int("HARBOR_AUTHZ_CACHE_SECONDS", 30, low=0, high=30)
    ACCESS_CACHE_SECONDS = env_int("HARBOR_ACCESS_CACHE_SECONDS", 15, low=0, high=30)
    UPLOAD_GRANT_HOURS = env_int("HARBOR_UPLOAD_GRANT_HOURS", 24, low=1, high=168)
    # A blob that a client was told exists is kept this long even if nothing names it (never below the upload grant).
    GC_WINDOW_HOURS = env_int("HARBOR_GC_WINDOW_HOURS", 24, low=1, high=8760)
    # ------------------------------------------------------------------ numbers for Prometheus
    METRICS = env_address("HARBOR_METRICS")
    CORE_METRICS = env_address("HARBOR_CORE_METRICS", 8001)
    # Where gateways tell (UDP) what they move, in the one process that counts it.
    TRAFFIC_LISTEN = env_address("HARBOR_TRAFFIC_LISTEN", 9091)
    # Where the exporter finds core; core itself need not ask.
    CORE_URL = internal_url("HARBOR_CORE_URL", "", INTERNAL_TLS)
    METRICS_CACHE_SECONDS = env_int("HARBOR_EXPORTER_CACHE_TIME", 30, low=0, high=3600)
    TRACE = trace_settings.read()
    # ------------------------------------------------------------------ the portal's sign-in page
    PORTAL_TITLE = env_str("HARBOR_PORTAL_TITLE")
    PORTAL_BACKGROUND = env_str("HARBOR_PORTAL_BACKGROUND")
    if PORTAL_BACKGROUND and not Path(PORTAL_BACKGROUND).is_file():
        raise ConfigError(f"HARBOR_PORTAL_BACKGROUND: there is no file {PORTAL_BACKGROUND}")

    LOW_SPACE_BYTES = env_int("HARBOR_LOW_SPACE_BYTES", 512 * 1024 * 1024, low=0)
    # Types of registries that can be used, none for all; whether those may be in the private network.
    REPLICATION_ADAPTERS = env_list("HARBOR_REPLICATION_ADAPTER_WHITELIST")
    REGISTRIES_MAY_BE_PRIVATE = env_bool("HARBOR_REGISTRIES_MAY_BE_PRIVATE", True)
    # Types of registries that a project may be a proxy of.
    PROXY_REGISTRY_TYPES = env_list("HARBOR_PROXY_REGISTRY_TYPES") or [
        "docker-hub",
        "harbor",
        "azure-acr",
        "ali-acr",
        "aws-ecr",
        "google-gcr",
        "docker-registry",
        "github-ghcr",
        "jfrog-artifactory",
    ]

    # ------------------------------------------------------------------ run-time settings that the operator decides
    CONFIG_OVERWRITE = overwrite(env_str("CONFIG_OVERWRITE_JSON"))
    CONFIG_ENVIRONMENT = from_environment(env_str)
    INTERNAL_SECRET = env_str("HARBOR_INTERNAL_SECRET")
except (ConfigError, SettingError, ValueError) as exc:
    raise ImproperlyConfigured(str(exc)) from exc

TOKEN_ISSUER = "harbor-token-issuer"
TOKEN_SERVICE = "harbor-registry"

# ---------------------------------------------------------------------- Django
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "portal" / "locale"]
ROOT_URLCONF = "harbor_core.urls"
WSGI_APPLICATION = "harbor_core.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "harbor_auth.User"
ALLOWED_HOSTS = ["*"]  # hosts are matched against PUBLIC_URLS where they decide something (harbor_core.lib.public)
APPEND_SLASH = False
# Only the gateway reaches core, and it always sets this header itself.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
SILENCED_SYSTEM_CHECKS: list[str] = []

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_htmx",
    "lucide",
    "harbor_core.apps.HarborCoreConfig",
    "auth.apps.HarborAuthConfig",
    "projects.apps.ProjectsConfig",
    "replication.apps.ReplicationConfig",
    "jobservice.apps.JobserviceConfig",
    "portal.apps.PortalConfig",
]

# The registry front and the token service run on a shorter chain: see harbor_core.wsgi.
LEAN_MIDDLEWARE = ["harbor_core.middleware.request_id"]
LEAN_PREFIXES = ("/v2/", "/service/", "/_authz/", "/_denied")
# REST calls without a session need neither the session nor what builds on it.
API_MIDDLEWARE = [
    "harbor_core.middleware.request_id",
    "harbor_core.middleware.security_headers",
    "harbor_core.middleware.body_limit",
    "harbor_core.middleware.api_path",
]
MIDDLEWARE = [
    "harbor_core.middleware.request_id",
    "harbor_core.middleware.security_headers",
    "harbor_core.middleware.body_limit",
    "harbor_core.middleware.api_path",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "harbor_core.middleware.session_renewal",
    "django.middleware.locale.LocaleMiddleware",
    "harbor_core.middleware.CsrfMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

if tracing.ON:
    for _chain in (LEAN_MIDDLEWARE, API_MIDDLEWARE, MIDDLEWARE):
        _chain.append("harbor_core.middleware.named_trace")

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "portal.context.portal",
            ],
            "builtins": ["portal.templatetags.portal"],
        },
    }
]

# ---------------------------------------------------------------------- sessions, cookies, CSRF (Harbor's names)
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_NAME = "sid"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = EXTERNAL_URL.startswith("https://")
SESSION_COOKIE_AGE = 60 * 60
SESSION_SAVE_EVERY_REQUEST = False
CSRF_COOKIE_NAME = "_gorilla_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_SECURE = EXTERNAL_URL.startswith("https://")
CSRF_HEADER_NAME = "HTTP_X_HARBOR_CSRF_TOKEN"
CSRF_TRUSTED_ORIGINS = PUBLIC_URLS
CSRF_FAILURE_VIEW = "harbor_core.middleware.csrf_failure"
LANGUAGE_COOKIE_NAME = "harbor_lang"

AUTHENTICATION_BACKENDS = ["auth.backends.local.LocalBackend"]
PASSWORD_HASHERS = [
    "auth.hashers.OwaspArgon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]

# ---------------------------------------------------------------------- cache, jobs
CACHES = {
    "default": {
        "BACKEND": "harbor_core.lib.cache.TolerantRedisCache",
        "LOCATION": "settings.REDIS",  # the backend asks there
        "KEY_PREFIX": "harbor",
    }
}
CELERY_BROKER_URL = REDIS.broker_url
CELERY_BROKER_USE_SSL = REDIS.broker_ssl
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Messages only ring bells (jobservice.dispatch): none needs an acknowledgement or comes back. Keeping book of them
# would also cost a worker its consumer when Redis goes away while some are unread.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "ack_emulation": False,
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
} | REDIS.broker_options
CELERY_WORKER_PREFETCH_MULTIPLIER = 1

# ---------------------------------------------------------------------- REST
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["auth.authentication.ActorAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["harbor_core.api.formats.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["harbor_core.api.formats.JSONParser"],
    "EXCEPTION_HANDLER": "harbor_core.api.exceptions.exception_handler",
    "UNAUTHENTICATED_USER": None,
}

# ---------------------------------------------------------------------- static files, served by the gateway
STATIC_URL = "/static/"
SWAGGER_UI = Path(drf_spectacular_sidecar.__file__).parent / "static" / "drf_spectacular_sidecar" / "swagger-ui-dist"
# Swagger UI comes as the files of a package; only what the page at /devcenter-api-2.0 loads is taken from it.
STATICFILES_DIRS = [("swagger-ui", SWAGGER_UI)]
STATIC_ROOT = Path(env_str("HARBOR_STATIC_ROOT", str(DATA_DIR / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "harbor_core.lib.logs.RequestIdFilter"}},
    "formatters": {
        "plain": {"format": "{asctime} {levelname} {name} [{request_id}] {message}", "style": "{"},
        "json": {"()": "harbor_core.lib.logs.JsonFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["request_id"]}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "ERROR"},
        "botocore": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},  # a line per bell
        "celery.worker.strategy": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "opentelemetry": {"level": "ERROR"},  # a collector that is away is told once per batch, not per attempt
    },
}

if not SECRET_KEY:
    secret_file = DATA_DIR / "secrets" / "secret_key"
    SECRET_KEY = secret_file.read_text(encoding="ascii").strip() if secret_file.exists() else ""
if not SECRET_KEY and os.environ.get("HARBOR_BUILD") == "1":
    SECRET_KEY = "collectstatic-and-migration-writing-need-a-value-but-no-secret"
