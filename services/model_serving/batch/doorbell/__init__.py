"""Celery, which tells workers that there is something to do and carries nothing else."""
