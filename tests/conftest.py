"""Fixtures of the whole test suite, and an environment free of the developer's own platform settings."""

import gc
import os
import sys
from contextlib import ExitStack

import pytest
import structlog

from mlplatform.events import streams
from tests.fixtures.absent import bar_absent
from tests.fixtures.database import database_urls, template_database
from tests.fixtures.pools import database, owner, owner_database
from tests.fixtures.redis import redis_url
from tests.fixtures.settings import module_env, settings_env, unique
from tests.fixtures.stack import RUN, stack_env, test_run
from tests.fixtures.users import unnamed_user

__all__ = [
    "database",
    "database_urls",
    "module_env",
    "owner",
    "owner_database",
    "redis_url",
    "settings_env",
    "stack_env",
    "template_database",
    "unique",
    "unnamed_user",
]

KEPT = frozenset({"ML_DATA_DIR"})
RESOURCES = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Hide the developer's platform from the tests, and own a folder for the stack of this run."""
    # Without it, as containers often set it, each worker of each run compiles all of the tests anew, for seconds.
    sys.dont_write_bytecode = False
    for name in list(os.environ):
        if name.startswith(("ML_", "MLFLOW_")) and name not in KEPT and not name.startswith("ML_TEST_"):
            del os.environ[name]
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # What a test does not configure logs errors with every local variable in them, which takes seconds for each.
    structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback
    bar_absent()
    # The end of each service of a test waits for the reads of its streams, one after another.
    streams.LONGEST_BLOCK = 0.2
    if not hasattr(config, "workerinput"):  # not in the workers of pytest-xdist: they inherit the folder
        config.stash[RESOURCES] = ExitStack()
        os.environ[RUN] = str(config.stash[RESOURCES].enter_context(test_run()))
    # An empty home: settings find no stack.env by walking up from the working directory.
    os.environ["ML_HOME"] = f"{os.environ[RUN]}/no-stack"
    # A folder without certificates: each client would read all of the machine's, and nothing here asks for one of them.
    os.environ.pop("SSL_CERT_FILE", None)
    os.environ["SSL_CERT_DIR"] = os.environ[RUN]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest file, which would keep one worker of pytest-xdist busy after the others."""
    items.sort(key=lambda item: "resilience" not in item.path.parts)


def pytest_collection_finish() -> None:
    """Spare the collector what was imported: services collect when they let go of a model, a second at a time."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the stack of this run, after the last worker has ended."""
    if RESOURCES in config.stash:
        config.stash[RESOURCES].close()
