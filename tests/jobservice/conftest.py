from tests.cast import admin, fresh_memory, world

__all__ = ["admin", "fresh_memory", "world"]
