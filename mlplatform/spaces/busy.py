"""What ends a change of the spaces that is to be tried again."""

import psycopg

BUSY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
"""Others hold the items for longer than a change may wait, or it and they waited for each other."""
