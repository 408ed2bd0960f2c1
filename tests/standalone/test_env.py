"""Typed settings from the environment."""

import pytest

from harbor_core.env import ConfigError, database_config


def test_a_pooled_database_gets_no_prepared_statements() -> None:
    plain = database_config("postgres://harbor:p%40ss@db.lan:5432/harbor?sslmode=require")
    pooled = database_config("postgres://harbor:p%40ss@db.lan:6432/harbor?prepare_threshold=none")
    assert plain["PASSWORD"] == "p@ss"
    assert plain["OPTIONS"]["sslmode"] == "require"
    assert plain["OPTIONS"]["prepare_threshold"] == 1
    assert pooled["OPTIONS"]["prepare_threshold"] is None
    assert pooled["DISABLE_SERVER_SIDE_CURSORS"]


@pytest.mark.parametrize("url", ["", "mysql://x/y", "sqlite://", "postgres://host/"])
def test_other_databases_are_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(ConfigError, match="HARBOR_DATABASE_URL"):
        database_config(url)
