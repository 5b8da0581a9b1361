"""Writers in processes of their own, which wait for each other."""

import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

from dagster_dfsession.errors import DfSessionError
from tests.robustness.writing import BATCHES, Job, write

START = -1
STREAMED = BATCHES
PATIENCE_S = 60


def at_once(jobs: Sequence[Job], *, meet: int = START) -> list[int | DfSessionError]:
    """Write all of these; each waits for all others once it is so far.

    Args:
        jobs: What to write.
        meet: Before which batch they wait; `START`: before they look at the table;
            `STREAMED`: before they commit.

    Returns:
        The version that each has committed, or why it has not.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.robustness.writing"])
    barrier = context.Barrier(len(jobs))
    pipes = [context.Pipe(duplex=False) for _ in jobs]
    processes = [
        context.Process(target=_write, args=(job, barrier, meet, saying))
        for job, (_, saying) in zip(jobs, pipes, strict=True)
    ]
    for process in processes:
        process.start()
    try:
        for _, saying in pipes:
            saying.close()
        return [listening.recv() for listening, _ in pipes]
    finally:
        for process in processes:
            process.kill()
            process.join()


def _write(job: Job, barrier: Barrier, meet: int, saying: Connection) -> None:
    def at(number: int) -> None:
        if number == meet:
            barrier.wait(PATIENCE_S)

    at(START)
    try:
        saying.send(write(job, at).version)
    except DfSessionError as error:
        saying.send(error)
