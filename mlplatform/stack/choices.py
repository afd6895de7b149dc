"""What the user decided by `ML_` variables, kept from one `up` to the next."""

from collections.abc import Mapping

from mlplatform.stack.state import State

# Not settings of a stack: where it is, what tests and scripts read, and what the stack itself tells its programs.
FOREIGN = frozenset({"ML_HOME", "ML_DATA_DIR", "ML_STACK_OF", "ML_STACK_PROGRAM", "ML_STACK_REVISION"})
PREFIX = "ML_"
TEST_PREFIX = "ML_TEST_"


def user_choices(environment: Mapping[str, str], state: State, written: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that the user made, now or at an earlier `up`; an empty value takes one back.

    Args:
        environment: The user's environment. It may hold a sourced `stack.env`, which is not the user's decision.
        state: What earlier calls of `up` were told.
        written: The present content of `stack.env`.
    """
    choices = dict(state.settings)
    for name, value in environment.items():
        if not name.startswith(PREFIX) or name.startswith(TEST_PREFIX) or name in FOREIGN:
            continue
        if not value:
            choices.pop(name, None)
        elif not generated(name, value, environment, state, written):
            choices[name] = value
    return choices


def generated(name: str, value: str, environment: Mapping[str, str], state: State, written: Mapping[str, str]) -> bool:
    """Return whether a value is one that the stack itself wrote, now or before its ports moved."""
    if name in state.settings:
        return False
    if written.get(name) == value or any(secret in value for secret in state.secrets.values()):
        return True
    return name == "ML_S3_ENDPOINT" and environment.get("ML_S3_ACCESS_KEY") == state.secrets["s3_access"]
