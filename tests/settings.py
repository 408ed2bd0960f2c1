"""Settings of the test run: harbor_core.settings against private services.

``HARBOR_TEST_DATABASE=sqlite`` runs on SQLite instead of a private PostgreSQL. Parallel test processes share the
PostgreSQL of the process that started them (its address is handed down in the environment), where each has a database.
Each has a data folder and a Redis of its own: all of them push to the same repositories, and many clear the cache.
"""

import os
import secrets
from pathlib import Path

from tests.support.services import Postgres, Redis, temp_folder

if "HARBOR_TEST_SERVICES" not in os.environ:
    for _name in [name for name in os.environ if name.startswith("HARBOR_") and not name.startswith("HARBOR_TEST_")]:
        del os.environ[_name]
    folder = temp_folder("harbor-test")
    os.environ["HARBOR_TEST_SERVICES"] = str(folder)
    os.environ["HARBOR_DATA_DIR"] = str(folder)
    os.environ["HARBOR_SECRET_KEY"] = secrets.token_urlsafe(48)
    os.environ["HARBOR_REGISTRY_HTTP_SECRET"] = secrets.token_urlsafe(32)
    os.environ["HARBOR_EXTERNAL_URL"] = "http://localhost:8080"
    os.environ["HARBOR_REDIS_URL"] = Redis().url
    os.environ["HARBOR_REGISTRY_URL"] = f"unix:{folder}/registry.sock"
    if os.environ.get("HARBOR_TEST_DATABASE") != "sqlite":
        os.environ["HARBOR_DATABASE_URL"] = Postgres().url("harbor")

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    folder = Path(os.environ["HARBOR_TEST_SERVICES"]) / worker
    folder.mkdir(exist_ok=True)
    os.environ["HARBOR_DATA_DIR"] = str(folder)
    os.environ["HARBOR_REDIS_URL"] = Redis().url
    os.environ["HARBOR_REGISTRY_URL"] = f"unix:{folder}/registry.sock"

from harbor_core.settings import *  # noqa: F403 - everything else is as in production

# Hundreds of accounts are made; what a guess costs is a matter of tests/auth, which names the real one.
PASSWORD_HASHERS = ["tests.support.hashers.QuickHasher", *PASSWORD_HASHERS]  # noqa: F405

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # A file as in production: Django's default, a database in memory, knows no waiting between connections.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.db")}  # noqa: F405
