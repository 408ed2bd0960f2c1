from tests.cast import admin, api, fresh_memory, world

__all__ = ["admin", "api", "fresh_memory", "world"]
