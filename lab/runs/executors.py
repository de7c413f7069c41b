"""Where the heavy work runs: any `concurrent.futures.Executor`; a process pool by default.

Workers take paths and plain data and return plain data. They never touch the ledger.
"""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor

from lab.errors import InputError
from lab.settings import settings


class WorkerPool(ProcessPoolExecutor):
    """Processes that start clean, leave Ctrl-C to their parent, and never outlive it."""

    def __init__(self, workers: int | None = None, *, fetch_weights: bool = True) -> None:
        """workers: how many processes; the settings' number when None.

        fetch_weights False spares the workers from trying what their parent could not do.
        """
        if multiprocessing.parent_process() is not None:
            raise InputError(
                "a worker process started this script again; put the call under "
                'if __name__ == "__main__":'
            )
        count = workers or settings().workers
        super().__init__(
            count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(fetch_weights,),
        )

    def stop(self) -> None:
        """End the workers now. What they were writing under temporary names is lost; no more."""
        # Kept before shutdown forgets them. Executor.terminate_workers does the same from 3.14 on.
        processes = list((self._processes or {}).values())
        self.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _start_worker(fetch_weights: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not fetch_weights:
        os.environ["I2VLAB_FETCH_WEIGHTS"] = "false"
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow_parent, daemon=True).start()
