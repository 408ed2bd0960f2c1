"""Pages by area: every module here has ``urlpatterns``, and puts what should be in the navigation there
(portal.navigation). Importing this package imports them all; repositories' own pages come last (portal.urls), because a
repository's name may hold slashes."""

import importlib
import pkgutil

import portal.converters  # noqa: F401  # the modules' paths use them

_modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
urlpatterns = [pattern for module in _modules for pattern in module.urlpatterns]
