"""Which role may do what, and what a route declares."""

import pytest
from fastapi import APIRouter, FastAPI, Request

from mlplatform.auth import Permission, Role, public, require, route_permission
from mlplatform.auth.access import client_of
from mlplatform.auth.principal import ANONYMOUS, is_tenant
from mlplatform.auth.roles import ADMIN_PERMISSIONS, PERMISSIONS, is_allowed

GRANTED = {
    Role.VIEWER: "read",
    Role.USER: "read predict embed search",
    Role.PUBLISHER: "read predict embed search index register",
    Role.ML_ADMIN: "read predict embed search index register promote keys audit",
    Role.SERVICE: "read predict embed search index",
}


class TestRoles:
    @pytest.mark.parametrize("role", list(Role))
    def test_granted_permissions(self, role: Role) -> None:
        granted = {permission for permission in Permission if is_allowed([role], permission)}

        assert granted == {Permission(name) for name in GRANTED[role].split()} | {Permission.PUBLIC}

    def test_only_the_administrator_administers(self) -> None:
        assert [role for role in Role if PERMISSIONS[role] & ADMIN_PERMISSIONS] == [Role.ML_ADMIN]

    def test_anonymous_may_do_everything(self) -> None:
        assert all(ANONYMOUS.may(permission) for permission in Permission)


class TestTenant:
    @pytest.mark.parametrize("name", ["a", "acme", "0-9_z", "a" * 63])
    def test_tenant(self, name: str) -> None:
        assert is_tenant(name)

    @pytest.mark.parametrize("name", ["", "Acme", "-acme", "a b", "acme\n", "a" * 64, "ä"])
    def test_no_tenant(self, name: str) -> None:
        assert not is_tenant(name)


class TestRoutePermission:
    def test_declared(self) -> None:
        app = FastAPI()
        app.add_api_route("/search", lambda: None, dependencies=[require(Permission.SEARCH)])
        app.add_api_route("/open", lambda: None, dependencies=[public()])
        app.add_api_route("/forgotten", lambda: None)

        declared = {route.path: route_permission(route) for route in app.routes if hasattr(route, "dependant")}

        assert declared == {"/search": Permission.SEARCH, "/open": Permission.PUBLIC, "/forgotten": None}

    def test_two_permissions(self) -> None:
        router = APIRouter()
        router.add_api_route("/both", lambda: None, dependencies=[require(Permission.READ), public()])

        with pytest.raises(ValueError, match="/both declares more than one permission: public, read"):
            route_permission(router.routes[0])

    def test_public_is_said_in_its_own_word(self) -> None:
        with pytest.raises(ValueError, match="public\\(\\)"):
            require(Permission.PUBLIC)


class TestClient:
    @pytest.mark.parametrize(
        ("host", "client"),
        [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("testclient", "testclient"),
            (None, "unknown"),
        ],
    )
    def test_address(self, host: str | None, client: str) -> None:
        request = Request({"type": "http", "client": None if host is None else (host, 1)})

        assert client_of(request) == client
