"""The embedded stack: the whole platform on one machine, without Docker and without root."""

from mlplatform.stack.errors import PortTaken, StackError, StackUnhealthy
from mlplatform.stack.home import Home, find_home
from mlplatform.stack.stack import Stack

__all__ = ["Home", "PortTaken", "Stack", "StackError", "StackUnhealthy", "find_home"]
