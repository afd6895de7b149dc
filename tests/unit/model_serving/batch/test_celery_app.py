"""What of Celery's settings nothing may go without."""

from datetime import timedelta

import pytest
from celery.app.defaults import DEFAULTS

from services.model_serving.batch.doorbell.celery_app import RETAIN, SWEEP, make_celery, retain_interval
from services.model_serving.batch.settings import BatchSettings


@pytest.fixture
def conf():
    return make_celery(BatchSettings(batch_lease=timedelta(seconds=30))).conf


class TestSettings:
    def test_nothing_is_unpickled_and_nobody_is_shut_down_from_afar(self, conf) -> None:
        assert list(conf.accept_content) == ["json"]
        assert conf.task_serializer == "json"
        assert conf.worker_enable_remote_control is False

    def test_a_message_is_acknowledged_late_and_taken_one_by_one(self, conf) -> None:
        assert (conf.task_acks_late, conf.task_reject_on_worker_lost) == (True, True)
        assert (conf.worker_prefetch_multiplier, conf.worker_disable_prefetch) == (1, True)

    def test_leases_are_swept_thrice_in_their_time_and_old_jobs_are_deleted_each_hour(self, conf) -> None:
        schedule = {entry["task"]: entry["schedule"] for entry in conf.beat_schedule.values()}
        assert schedule == {SWEEP: timedelta(seconds=10), RETAIN: timedelta(hours=1)}

    @pytest.mark.parametrize(("minutes", "often"), [(0.001, 1 / 60), (10, 10), (90, 60), (10_000, 60)])
    def test_no_job_is_kept_twice_as_long_as_it_should_be(self, minutes: float, often: float) -> None:
        assert retain_interval(timedelta(minutes=minutes)) == timedelta(minutes=often)

    def test_what_a_pool_of_celerys_would_do_is_left_alone(self, conf) -> None:
        left = ("worker_soft_shutdown_timeout", "worker_max_tasks_per_child", "worker_max_memory_per_child")
        left += ("task_track_started", "result_expires", "worker_eta_task_limit")
        assert [conf[name] for name in left] == [DEFAULTS[name] for name in left]
