"""The user of the operating system, where nobody proved who they are."""

import os
import pwd


def system_user() -> str:
    """Name the user of the operating system, by the id of the process: the environment is whatever its user says.

    Returns:
        The login, or `uid N` where the id has none, as in a container that runs under a number of its own.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
