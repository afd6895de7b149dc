from pathlib import Path

import pytest

from mlplatform.stack.account import PostgresPlace
from mlplatform.stack.errors import ProgramMissing, StackError
from mlplatform.stack.home import Home
from mlplatform.stack.plan import Plan, make_plan, public_ports
from mlplatform.stack.state import State


def plan_of(tmp_path: Path, path: str = "", **choices: str) -> Plan:
    home = Home(tmp_path / ".mlp")
    state = State.load(home)
    state.ports = {"postgres": 20001, "redis": 20002, "s3": 20003}
    return make_plan(home, state, choices, PostgresPlace(tmp_path / "pg", tmp_path / "bin", None), path)


class TestMakePlan:
    def test_everything_is_embedded_unless_told(self, tmp_path: Path) -> None:
        programs = plan_of(tmp_path).programs
        assert list(programs) == ["postgres", "redis", "s3", "mlflow", "serving", "embedding", "search", "batch"]

    def test_no_secret_is_on_a_command_line(self, tmp_path: Path) -> None:
        plan = plan_of(tmp_path)
        words = {word for program in plan.programs.values() for argument in program.argv for word in argument.split()}
        secrets = {plan.values[name] for name in ("ML_S3_SECRET_KEY", "ML_JWT_SECRET", "ML_API_KEY_PEPPER")}
        secrets |= {plan.values[name].split("@")[0].split(":")[-1] for name in ("ML_DATABASE_URL", "ML_REDIS_URL")}
        assert not [word for word in words if any(secret in word for secret in secrets)]

    def test_services_can_neither_migrate_nor_administer_the_database(self, tmp_path: Path) -> None:
        for program in plan_of(tmp_path).services():
            assert "ML_DATABASE_URL" in program.environment
            assert not {"ML_DATABASE_OWNER_URL", "ML_DATABASE_ADMIN_URL"} & set(program.environment)

    @pytest.mark.parametrize(
        ("part", "variable", "url"),
        [
            ("redis", "ML_REDIS_URL", "redis://cache.example.org/0"),
            ("s3", "ML_S3_ENDPOINT", "https://s3.example.org"),
            ("mlflow", "ML_MLFLOW_URL", "https://mlflow.example.org"),
        ],
    )
    def test_url_of_the_users_replaces_the_part(self, tmp_path: Path, part: str, variable: str, url: str) -> None:
        plan = plan_of(tmp_path, **{variable: url})
        assert part not in plan.programs
        assert plan.values[variable] == url

    def test_database_of_the_users_replaces_postgres_and_holds_mlflow(self, tmp_path: Path) -> None:
        choices = {
            "ML_DATABASE_URL": "postgresql://app:x@db.example.org:5433/platform",
            "ML_DATABASE_ADMIN_URL": "postgresql://root:y@db.example.org:5433/postgres",
        }
        plan = plan_of(tmp_path, **choices)
        assert "postgres" not in plan.programs
        backend = plan.programs["mlflow"].environment["MLFLOW_BACKEND_STORE_URI"]
        assert backend.startswith("postgresql+psycopg2://mlflow:")
        assert backend.endswith("@db.example.org:5433/mlflow")

    def test_database_without_a_place_for_mlflow_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StackError, match="ML_DATABASE_ADMIN_URL"):
            plan_of(tmp_path, ML_DATABASE_URL="postgresql://app:x@db.example.org/platform")

    def test_setting_of_the_users_reaches_the_services(self, tmp_path: Path) -> None:
        plan = plan_of(tmp_path, ML_LOG_LEVEL="DEBUG")
        assert all(program.environment["ML_LOG_LEVEL"] == "DEBUG" for program in plan.services())

    def test_minio_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ProgramMissing, match="ML_STACK_S3=minio needs the program 'minio'"):
            plan_of(tmp_path, ML_STACK_S3="minio")

    def test_minio_on_path_is_used(self, tmp_path: Path) -> None:
        program = tmp_path / "programs" / "minio"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        plan = plan_of(tmp_path, str(program.parent), ML_STACK_S3="minio")
        assert plan.programs["s3"].argv[0] == str(program)
        assert plan.values["ML_S3_ENDPOINT"] == "http://127.0.0.1:9000"

    def test_jaeger_on_path_takes_the_traces(self, tmp_path: Path) -> None:
        program = tmp_path / "programs" / "jaeger"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        plan = plan_of(tmp_path, str(program.parent), ML_STACK_TRACES="jaeger")
        assert plan.values["ML_OTLP_ENDPOINT"] == "http://127.0.0.1:4318/v1/traces"
        assert "ML_OTLP_HEADERS" not in plan.values

    def test_unknown_store_is_refused_with_the_known_ones(self, tmp_path: Path) -> None:
        with pytest.raises(StackError, match="rclone or minio"):
            plan_of(tmp_path, ML_STACK_S3="floppy")


class TestPublicPorts:
    def test_usual_ports(self) -> None:
        assert public_ports({}) == {"mlflow": 5000, "serving": 9005, "embedding": 9006, "search": 9007, "batch": 9008}

    @pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "\u0665000"])
    def test_what_is_no_port_is_refused_by_name(self, text: str) -> None:
        with pytest.raises(StackError, match=f"ML_MLFLOW_PORT={text} is not a port"):
            public_ports({"ML_MLFLOW_PORT": text})

    def test_same_port_twice_is_refused(self) -> None:
        with pytest.raises(StackError, match="ML_SERVING_PORT=5000 is already the port of mlflow"):
            public_ports({"ML_SERVING_PORT": "5000"})
