"""Every row of every module here."""

from importlib import import_module
from pkgutil import iter_modules

from tests.security.matrix import Row

ROWS: list[Row] = [row for module in iter_modules(__path__) for row in import_module(f"{__name__}.{module.name}").ROWS]
