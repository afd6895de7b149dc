"""What ends those who meet a change of the spaces."""

import psycopg

BUSY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
"""A change is to be tried again: others hold the items for longer than it may wait, or it and they waited for each
other."""
GONE = (psycopg.errors.UndefinedTable, psycopg.errors.DeadlockDetected)
"""What a reader of a space gets that is retired meanwhile: its table is dropped, or the reader waits for the items and
the retirement, which has those, for the table. One that has read items in its transaction keeps the retirement from
beginning, and gets neither."""
