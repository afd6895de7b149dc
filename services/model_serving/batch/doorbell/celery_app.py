"""How Celery is set up, on both of its ends."""

from datetime import timedelta

from celery import Celery

from services.model_serving.batch.settings import BatchSettings

QUEUE = "batch"
RING, SWEEP, RETAIN = "batch.ring", "batch.sweep", "batch.retain"
SOONEST, LATEST = timedelta(seconds=1), timedelta(hours=1)
"""Between two looks for old jobs."""
SOFT_LIMIT, HARD_LIMIT = 30, 60
BEAT_EXPIRES = 3600
"""Seconds after which a message of beat is pointless: another one has come."""
CONNECT_SECONDS = 1.0


def make_celery(settings: BatchSettings) -> Celery:
    """Make an application of Celery; it connects at the first message.

    Tasks carry nothing and do nothing but wake a worker, so that a message that comes late, twice or never changes only
    when something is done. They are acknowledged in milliseconds: that they would be delivered again after
    `visibility_timeout` has no bearing on chunks that take hours.

    Left as Celery has them, since what they bound happens in processes of our own and not in a pool of Celery's:

    - `worker_soft_shutdown_timeout`, `worker_enable_soft_shutdown_on_idle`, and `REMAP_SIGTERM` in the environment: how
      Celery's own program ends. Here SIGTERM goes to the service, which drains its slots in `shutdown_timeout`.
    - `worker_max_tasks_per_child`, `worker_max_memory_per_child`: the solo pool has no children. What scores is
      replaced when it has grown past `batch_scorer_memory`, and not after so many chunks: it has models to load.
    - `task_track_started`, `result_expires`: no task has a result. The states of jobs are rows in Postgres.
    - `worker_eta_task_limit`: no message is for later; chunks that wait have `not_before` in Postgres.

    `-O fair` is how a prefork pool hands out tasks. The solo pool enforces no time limits either: those below are for
    whoever runs these tasks in another one.
    """
    celery = Celery("ml-platform-batch", set_as_current=False)
    celery.conf.update(
        broker_url=settings.redis_url.get_secret_value(),
        broker_transport_options={
            "global_keyprefix": "ml:batch:",
            "visibility_timeout": settings.batch_visibility_timeout.total_seconds(),
            "socket_timeout": settings.dependency_timeout.total_seconds(),
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_keepalive": True,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        accept_content=["json"],
        task_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_soft_time_limit=SOFT_LIMIT,
        task_time_limit=HARD_LIMIT,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        # Whoever reaches Redis could shut workers down by it.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        beat_schedule={
            "sweep": {"task": SWEEP, "schedule": sweep_interval(settings), "options": {"expires": BEAT_EXPIRES}},
            "retain": {
                "task": RETAIN,
                "schedule": retain_interval(settings.batch_retention),
                "options": {"expires": BEAT_EXPIRES},
            },
        },
    )
    return celery


def sweep_interval(settings: BatchSettings) -> timedelta:
    """Return how often ended leases are looked for."""
    return settings.batch_lease / 3


def retain_interval(retention: timedelta) -> timedelta:
    """Return how often old jobs are looked for: none is kept twice as long as it should be."""
    return max(SOONEST, min(retention, LATEST))
