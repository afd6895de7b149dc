"""Who acts where there is no token: the user of the operating system."""

import os
import pwd

import pytest

from mlplatform.auth.system_user import system_user
from mlplatform.cli.owner import operator
from tests.fixtures.users import NAMES


class TestSystemUser:
    def test_the_environment_names_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in NAMES:
            monkeypatch.setenv(name, "bob-of-the-environment")
        assert system_user() == pwd.getpwuid(os.getuid()).pw_name
        assert operator() == f"operator:{system_user()}"

    def test_an_id_without_a_name_is_given_as_it_is(self, unnamed_user: int) -> None:
        assert system_user() == f"uid {unnamed_user}"
        assert operator() == f"operator:uid {unnamed_user}"
