"""Finds out whether uncertain takes were bought. Submits and buys nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.backends import Backend, Job, open_backend
from lab.errors import InputError, LabError, did_you_mean
from lab.runs.folder import RunFolder
from lab.runs.ledger import UNKNOWN_ACCOUNT, EventKind, Ledger, TakeRow, TakeState, job_key
from lab.runs.recovery import LOSSES_FACT, Losses
from lab.takes import Take

# SUBMITTING: the process ended before it recorded the answer.
_UNDECIDED = (TakeState.UNCERTAIN, TakeState.SUBMITTING)


@dataclass(frozen=True)
class ReconciledTake:
    """The result for one uncertain take.

    key: the id that was sent with the take, to search for in the service's console; "" when a
    damaged ledger lost it. state: the new state, still uncertain if neither the service nor a
    person knew.
    """

    take_id: str
    key: str
    state: TakeState
    message: str

    def __str__(self) -> str:
        name = f" [{self.key}]" if self.key else ""
        return f"take {self.take_id} ({self.state}): {self.message}{name}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "take_id": self.take_id,
            "key": self.key,
            "state": self.state.value,
            "says": self.message,
        }


def reconcile(
    out: str | Path,
    *,
    bought: Mapping[str, str] | None = None,
    not_bought: Sequence[str] = (),
) -> list[ReconciledTake]:
    """Ask the service about every uncertain take of a run, and record the answers.

    A take that the service knows becomes waiting. A take that it never received becomes planned, so
    the next run submits it. Other takes stay uncertain. bought (take id to the service's job id)
    and not_bought are a person's answers, used only if the service finds no job. If the service
    does not know a job in bought, its take stays uncertain. Raises InputError for a take that is
    not uncertain, and for a job of another take.
    """
    folder = RunFolder(out)
    folder.check()
    bought = bought or {}
    with folder.lock(), Ledger.write(folder.ledger) as ledger:
        rows = ledger.takes()
        undecided = {row.take_id: row for row in rows if row.state in _UNDECIDED}
        _check_answers(rows, undecided, bought, not_bought)
        if not undecided:
            return []
        backend = open_backend(next(iter(undecided.values())).take.backend)
        try:
            return [
                _settle(
                    row,
                    folder,
                    ledger,
                    backend,
                    key=_job_key(ledger, row.take_id),
                    job_id=bought.get(row.take_id),
                    not_bought=row.take_id in not_bought,
                )
                for row in undecided.values()
            ]
        finally:
            backend.close()


def _check_answers(
    rows: Sequence[TakeRow],
    undecided: Mapping[str, TakeRow],
    bought: Mapping[str, str],
    not_bought: Sequence[str],
) -> None:
    """Raise InputError for a person's answer that cannot be right."""
    take_of_job = {row.job.id: row.take_id for row in rows if row.job is not None}
    if len(set(bought.values())) < len(bought):
        raise InputError("one job cannot be two takes; give each its own id")
    for take_id, job_id in bought.items():
        if job_id in take_of_job:
            raise InputError(
                f"{take_id}: job {job_id} already belongs to take {take_of_job[job_id]}"
            )
    for take_id in (*bought, *not_bought):
        if take_id not in undecided:
            raise InputError(
                f"{take_id}: is not an uncertain take of this run; "
                + (did_you_mean(take_id, undecided) if undecided else "there is none")
            )


def _job_key(ledger: Ledger, take_id: str) -> str:
    """The id that was sent with the take; "" when a damaged ledger lost it."""
    lost_facts = Losses.from_fact(ledger.fact(LOSSES_FACT)).facts
    if "run_id" in lost_facts and UNKNOWN_ACCOUNT in ledger.submission_accounts(take_id):
        return ""
    return job_key(str(ledger.fact("run_id")), take_id)


def _settle(
    row: TakeRow,
    folder: RunFolder,
    ledger: Ledger,
    backend: Backend,
    *,
    key: str,
    job_id: str | None,
    not_bought: bool,
) -> ReconciledTake:
    """Look up one take and record the result. job_id, not_bought: a person's answer."""
    take = row.take.relocated(folder.locate)
    answer, reason = _look_up(take, ledger, backend, key=key)
    message = "found at the service and adopted"
    if not isinstance(answer, Job) and job_id is not None:
        answer, reason = _adopt(backend, take, job_id)
        message = f"adopted as job {job_id}, which the service knows"
    if isinstance(answer, Job):
        after = ledger.record(
            row.take_id, EventKind.SUBMITTED, job=answer.to_json(), message=message
        )
    elif answer == "absent" or not_bought:
        absent = answer == "absent"
        message = "the service never received it" if absent else "a person says: not bought"
        after = ledger.record(row.take_id, EventKind.NOT_SUBMITTED, message=message)
        message += "; the next run sends it"
    else:
        message = f"still unknown: {reason}"
        after = ledger.record(row.take_id, EventKind.UNCERTAIN, message=message)
    return ReconciledTake(row.take_id, key, after.state, message)


def _look_up(take: Take, ledger: Ledger, backend: Backend, *, key: str) -> tuple[Job | str, str]:
    """The service's answer: a job, "absent" or "unknown"; and the reason for "unknown"."""
    origin = ledger.fact("origin")
    if origin != backend.origin:
        origin = origin or "an origin that was lost with a damaged ledger"
        return "unknown", f"it was sent to {origin}, but {backend.name} now uses {backend.origin}"
    if not key:
        return "unknown", "the id it was sent with was lost; search for its prompt at the service"
    try:
        answer: Job | str = backend.lookup(take, key)
    except LabError as error:
        return "unknown", str(error)
    if answer == "absent" and set(ledger.submission_accounts(take.id)) != {backend.account}:
        return (
            "unknown",
            "it may have been sent with another API key, and only that key can find it",
        )
    return answer, "the service cannot say"


def _adopt(backend: Backend, take: Take, job_id: str) -> tuple[Job | str, str]:
    """The job that a person found, if the service knows it; else "unknown" and the reason."""
    job = backend.adopt(take, job_id)
    try:
        if job.id in backend.poll([job]):
            return job, ""
    except LabError as error:
        return "unknown", str(error)
    return "unknown", f"the service knows no job {job_id}"
