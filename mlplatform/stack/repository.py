"""Roles and databases that the platform needs on a Postgres server."""

from collections.abc import Mapping

import psycopg
from psycopg import sql

OWNER = "ml_owner"
APPLICATION = "ml_app"
MLFLOW = "mlflow"


def ensure_databases(admin_url: str, passwords: Mapping[str, str], platform: str) -> None:
    """Create the roles and databases that are missing, and give the roles these passwords.

    Args:
        admin_url: URL of a role that may create roles, databases and extensions.
        passwords: Password of each role; a role that is not named here, and its database, are left alone.
        platform: Database of the platform.
    """
    with psycopg.connect(admin_url, autocommit=True) as server:
        for role, password in passwords.items():
            ensure_role(server, role, password)
        for database, owner, user in ((platform, OWNER, APPLICATION), (MLFLOW, MLFLOW, MLFLOW)):
            if owner in passwords:
                ensure_database(server, database, owner, user)
    with psycopg.connect(admin_url, dbname=platform, autocommit=True) as inside:
        inside.execute("CREATE EXTENSION IF NOT EXISTS vector")


def ensure_role(server: psycopg.Connection, role: str, password: str) -> None:
    """Create a login role that can neither bypass row-level security nor create anything outside its databases."""
    name = sql.Identifier(role)
    if server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
        server.execute(sql.SQL("CREATE ROLE {}").format(name))
    options = sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD {}")
    server.execute(options.format(name, sql.Literal(password)))


def ensure_database(server: psycopg.Connection, database: str, owner: str, user: str) -> None:
    """Create a database that only its owner and its user may enter."""
    name = sql.Identifier(database)
    if server.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone() is None:
        server.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(owner)))
    server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    server.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(name, sql.Identifier(user)))
