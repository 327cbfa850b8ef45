"""The periodic jobs, their queues and the workers that serve them."""

import re
import threading
from collections import Counter

import pytest
from celery import Celery
from django.conf import settings
from django.utils.module_loading import autodiscover_modules

from auctioncraft import processes
from auctioncraft.celery import app
from auctioncraft.core import jobs


@pytest.fixture(scope="module", autouse=True)
def _tasks():
    autodiscover_modules("tasks")  # as Celery does, which would also set up logging again


def commands():
    """What the Procfile runs, by name."""
    lines = (settings.BASE_DIR / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def option(command, name):
    found = re.search(rf"--{name} (\S+)", command)
    return found and found[1]


def test_worker_of_each_queue_has_one_thread_for_each_job():
    assert Counter(job["options"]["queue"] for job in jobs.SCHEDULE.values()) == jobs.THREADS


def test_every_job_in_the_schedule_is_a_task():
    assert {job["task"] for job in jobs.SCHEDULE.values()} <= set(app.tasks)


def test_jobs_that_call_stripe_or_a_mail_server_wait_in_queues_of_their_own():
    names = {name for name, job in jobs.SCHEDULE.items() if job["options"]["queue"] == jobs.DEFAULT}
    assert {"auctions.close_due", "notifications.write_notifications"} <= names
    assert {name for name in names if name.startswith("payments.")} <= {
        "payments.send_payment_reminders",
        "payments.purge",
    }


def test_procfile_workers_serve_each_queue_with_its_threads_and_one_runs_beat():
    workers = [command for command in commands().values() if " worker " in command]
    assert {option(command, "queues"): int(option(command, "concurrency")) for command in workers} == jobs.THREADS
    assert [option(command, "queues") for command in workers if command.endswith("--beat")] == [jobs.DEFAULT]


def test_development_workers_are_those_of_the_procfile():
    procfile = {name: command for name, command in commands().items() if " worker " in command}
    started = {process.name: " ".join(process.command) for process in processes.workers()}
    assert started.keys() == procfile.keys()
    for name, command in procfile.items():
        for flag in ("queues", "hostname", "pool", "concurrency"):
            assert option(started[name], flag) == option(command, flag)
        assert ("--beat" in started[name]) == ("--beat" in command)


def test_companion_processes_without_stripe_keys_include_the_double(settings):
    names = ["worker", "worker-mail", "worker-stripe"]
    settings.STRIPE_IS_DOUBLE = True
    assert [process.name for process in processes.companion_processes(8000)] == [*names, "stripe"]
    settings.STRIPE_IS_DOUBLE = False
    assert [process.name for process in processes.companion_processes(8000)] == names


def test_message_goes_to_the_queue_of_its_job_and_to_no_other():
    other = Celery("messages", broker="memory://jobs", set_as_current=False)
    other.conf.task_queues, other.conf.task_default_queue = app.conf.task_queues, app.conf.task_default_queue
    with other.connection_for_write() as connection:
        boxes = {name: connection.SimpleQueue(other.amqp.queues[name]) for name in jobs.THREADS}
        for job in jobs.SCHEDULE.values():
            other.send_task(job["task"], connection=connection, **job["options"])
        received = {name: box.qsize() for name, box in boxes.items()}
    assert received == Counter(job["options"]["queue"] for job in jobs.SCHEDULE.values())


def test_job_that_is_still_running_is_not_started_again():
    began, may_end, runs = threading.Event(), threading.Event(), []

    def work():
        runs.append(1)
        began.set()
        may_end.wait(10)

    try:
        job = jobs.periodic_job("tests.slow", every=1)(work)
    finally:
        del jobs.SCHEDULE["tests.slow"]
    first = threading.Thread(target=job)
    first.start()
    assert began.wait(10)
    job()
    may_end.set()
    first.join(10)
    assert len(runs) == 1
    job()
    assert len(runs) == 2


def test_job_that_failed_can_run_again():
    calls = []

    def work():
        calls.append(1)
        raise ValueError

    try:
        job = jobs.periodic_job("tests.failing", every=1)(work)
    finally:
        del jobs.SCHEDULE["tests.failing"]
    for _ in range(2):
        with pytest.raises(ValueError):
            job()
    assert len(calls) == 2


def test_process_each_row_that_fails_leaves_the_others_their_turn(caplog):
    done = []

    def work(row):
        if row == 1:
            raise ValueError
        done.append(row)
        return row != 2

    assert jobs.process_each(work, [(1,), (2,), (3,)]) == 1
    assert done == [2, 3]
    assert "failed for (1,)" in caplog.text


def test_process_each_time_is_up_begins_nothing():
    assert jobs.process_each(lambda: True, [(), ()], seconds=-1) == 0
