import pytest

from mlplatform.stack.choices import user_choices
from mlplatform.stack.state import State


@pytest.fixture
def state() -> State:
    return State(
        secrets={"postgres_app": "0a1b2c", "redis": "3d4e5f", "s3_access": "667788"},
        ports={"postgres": 20001},
    )


class TestUserChoices:
    def test_variable_of_the_user_is_a_choice(self, state: State) -> None:
        assert user_choices({"ML_MLFLOW_PORT": "5001"}, state, {}) == {"ML_MLFLOW_PORT": "5001"}

    def test_choice_of_an_earlier_start_is_kept(self, state: State) -> None:
        state.settings = {"ML_MLFLOW_PORT": "5001"}
        assert user_choices({}, state, {}) == {"ML_MLFLOW_PORT": "5001"}

    def test_empty_value_takes_a_choice_back(self, state: State) -> None:
        state.settings = {"ML_MLFLOW_PORT": "5001"}
        assert user_choices({"ML_MLFLOW_PORT": ""}, state, {}) == {}

    def test_sourced_stack_file_is_no_choice(self, state: State) -> None:
        written = {"ML_LOG_LEVEL": "INFO", "ML_SERVING_URL": "http://127.0.0.1:9005"}
        assert user_choices(written, state, written) == {}

    def test_stack_file_sourced_before_the_ports_moved_is_no_choice(self, state: State) -> None:
        old = {
            "ML_DATABASE_URL": "postgresql://ml_app:0a1b2c@127.0.0.1:20000/platform",
            "ML_S3_ENDPOINT": "http://127.0.0.1:20002",
            "ML_S3_ACCESS_KEY": "667788",
        }
        assert user_choices(old, state, {"ML_DATABASE_URL": "moved"}) == {}

    def test_url_of_the_users_own_database_is_a_choice(self, state: State) -> None:
        url = "postgresql://me:mine@db.example.org/platform"
        assert user_choices({"ML_DATABASE_URL": url}, state, {"ML_DATABASE_URL": "ours"}) == {"ML_DATABASE_URL": url}

    def test_what_is_no_setting_of_a_stack_is_ignored(self, state: State) -> None:
        environment = {"PATH": "/bin", "ML_HOME": "/x", "ML_TEST_RUN": "/y", "ML_DATA_DIR": "/z", "ML_STACK_OF": "/x"}
        assert user_choices(environment, state, {}) == {}
