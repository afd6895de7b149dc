"""From a method and a path to a direct route."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from starlette.routing import compile_path

from mlplatform.service.direct import DirectRoute

Match = tuple[DirectRoute, Mapping[str, str]]
REMEMBERED = 1024
"""Paths whose route is kept; only those that matched, so that nobody can fill the memory with made-up ones."""
REMEMBERED_LENGTH = 256
NONE: Mapping[str, str] = MappingProxyType({})


class DirectTable:
    """Finds routes.

    Args:
        routes: The first that matches wins.
    """

    def __init__(self, routes: Sequence[DirectRoute]) -> None:
        self._fixed: dict[tuple[str, str], Match] = {}
        self._patterns = []
        for route in routes:
            pattern, _, names = compile_path(route.path)
            if names:
                self._patterns.append((route.method, pattern, route))
            else:
                self._fixed.setdefault((route.method, route.path), (route, NONE))
        self._found: dict[tuple[str, str], Match] = {}

    def find(self, method: str, path: str) -> Match | None:
        """Return the route and the parameters of its path; None when no direct route serves it."""
        key = method, path
        match = self._fixed.get(key) or self._found.get(key)
        if match is not None:
            return match
        for verb, pattern, route in self._patterns:
            if verb == method and (groups := pattern.match(path)):
                if len(self._found) >= REMEMBERED:
                    self._found.clear()
                match = route, MappingProxyType(groups.groupdict())
                if len(path) <= REMEMBERED_LENGTH:
                    self._found[key] = match
                return match
        return None
