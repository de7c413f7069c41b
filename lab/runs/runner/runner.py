"""The event loop of a run: for each event, decide what to do and perform the commands.

Only the thread of the loop decides and writes the ledger.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from typing import Self

from lab.backends import Backend, Quote
from lab.errors import Interrupted, RunFolderError
from lab.runs.control import Control
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger
from lab.runs.progress import Progress
from lab.runs.purchases import PurchaseIndex
from lab.runs.runner.decide import next_steps
from lab.runs.runner.effects import Effects
from lab.runs.runner.events import FolderFailed, InterruptReceived, PauseChanged, RunEvent, Started
from lab.runs.runner.resuming import Resumer
from lab.runs.runner.state import RunConstants, RunState
from lab.settings import settings


class Runner:
    """Makes takes until nothing more can be done for them. Use it in a `with` block, once."""

    def __init__(
        self,
        backend: Backend,
        folder: RunFolder,
        ledger: Ledger,
        *,
        cap_usd: float | None,
        index: PurchaseIndex | None,
        reuse: bool,
        executor: Executor | None,
        quiet: bool,
        control: Control,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """index: where purchases are added, and looked for if `reuse`; None for free takes.

        clock: seconds that never go back. rng: seeds the jitter of the waits between requests.
        """
        self._cap_usd = cap_usd
        self._quiet = quiet
        self._control = control
        self._clock = clock
        constants = RunConstants(
            capabilities=backend.capabilities,
            account=backend.account,
            origin=backend.origin,
            run_id=str(ledger.fact("run_id")),
            workers=settings().workers,
            resume_hint=f"run the same command again to continue (`lab resume {folder.path}`)",
            seed=(rng or random.Random()).getrandbits(64),  # noqa: S311 - jitter, no secret
        )
        self._resumer = Resumer(folder, ledger, constants, index if reuse else None)
        self._effects = Effects(
            backend, folder, ledger, index=index, executor=executor, quiet=quiet
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._effects.close(wait_for_requests=kind is None)

    def run(self, quotes: Mapping[str, Quote], *, label: str) -> tuple[RunState, int]:
        """Run until nothing more can be done; return the last state and how many takes were reused.

        quotes: today's prices of the takes to make, by take id. label: for the progress bar.
        Raises Interrupted, and RunFolderError when the folder can no longer be written.
        """
        self._state, reused = self._resumer.state(
            quotes, cap_usd=self._cap_usd, paused=self._control.paused
        )
        if not self._state.planned and not self._state.open:
            return self._state, reused
        try:
            with Progress(len(quotes), label, quiet=self._quiet) as self._progress:
                for _ in self._state.finished:
                    self._progress.advance()
                self._loop()
        except KeyboardInterrupt:
            self._drain()
            raise Interrupted(
                f"interrupted with {len(self._state.finished)} of {len(quotes)} takes done; "
                f"{self._state.constants.resume_hint}"
            ) from None
        if self._state.folder_error is not None:
            raise self._state.folder_error
        return self._state, reused

    def _loop(self) -> None:
        if self._control.stopped:  # a stopped run submits nothing
            raise KeyboardInterrupt
        self._handle(Started())
        pending = self._effects.pending
        while True:
            # Taken before the checks, so that no later change is missed.
            next_change = self._control.next_change
            if self._control.stopped:
                raise KeyboardInterrupt
            if self._control.paused is not self._state.paused:
                self._handle(PauseChanged(self._control.paused))
            if not pending and not self._state.waits_for_resume:
                return
            done, _ = wait([*pending, next_change], return_when=FIRST_COMPLETED)
            for future in done - {next_change}:
                self._handle(self._effects.result(future))

    def _drain(self) -> None:
        """Wait briefly for the answers to submissions already sent, and record them."""
        self._handle(InterruptReceived())
        for event in self._effects.drain():
            self._handle(event)

    def _handle(self, event: RunEvent) -> None:
        """Handle an event, and the events that its commands return at once."""
        events = deque([event])
        while events:
            before = len(self._state.finished)
            self._state, commands = next_steps(self._state, events.popleft(), self._clock())
            try:
                for command in commands:
                    result = self._effects.perform(command, self._state, self._progress)
                    events.extend([] if result is None else [result])
            except RunFolderError as error:
                # The remaining commands depend on the one that failed, so they are dropped.
                events.append(FolderFailed(error))
            for _ in range(len(self._state.finished) - before):
                self._progress.advance()
