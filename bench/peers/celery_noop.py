"""Jobs without work through Celery on Redis: sent here, done by one worker with a process a core.

Prints jobs a second, from the first that is sent until the last is done. `celery_noop.py JOBS`, with REDIS_URL.
"""

import os
import subprocess
import sys
import time

import redis
from celery import Celery

QUEUE = "celery"
app = Celery("celery_noop", broker=os.environ["REDIS_URL"])
app.conf.update(
    # What is not looked at is not kept, and short jobs are fetched many at a time: both as Celery's pages advise.
    task_ignore_result=True,
    worker_prefetch_multiplier=128,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="noop")
def noop():
    """Does nothing."""


def send(jobs):
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(jobs):
            noop.apply_async(producer=producer)


def wait(connection):
    while connection.llen(QUEUE) or connection.hlen("unacked"):
        time.sleep(0.002)


def measure(connection, jobs):
    began = time.monotonic()
    send(jobs)
    wait(connection)
    return jobs / (time.monotonic() - began)


def main():
    jobs = int(sys.argv[1])
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR"]
    command = [sys.executable, "-m", "celery", "-A", "celery_noop", "worker", "--pool", "prefork", "--concurrency", "2"]
    worker = subprocess.Popen(command + quiet, cwd=os.path.dirname(os.path.abspath(__file__)), stdout=sys.stderr)
    try:
        connection = redis.Redis.from_url(os.environ["REDIS_URL"])
        # A tenth goes by first: the worker has started and is warm then.
        measure(connection, max(jobs // 10, 1))
        print(measure(connection, jobs))
    finally:
        worker.terminate()
        worker.wait()


if __name__ == "__main__":
    main()
