"""Settle takes of which it is unknown whether they were bought. Nothing is sent or bought here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.backends import Backend, Job, open_backend
from lab.errors import InputError, LabError, did_you_mean
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger
from lab.runs.runner import job_key
from lab.runs.take_row import UNKNOWN_ACCOUNT, TakeRow, TakeState
from lab.takes import Take

_OPEN = (TakeState.UNCERTAIN, TakeState.SUBMITTING)


@dataclass(frozen=True)
class Settled:
    """What came of one uncertain take.

    key: our name for it at the service, to look for in the vendor's console; "" when that was lost
    with a damaged ledger. state: where it is now; still uncertain when nobody could say.
    """

    take_id: str
    key: str
    state: TakeState
    says: str

    def __str__(self) -> str:
        name = f" [{self.key}]" if self.key else ""
        return f"take {self.take_id} ({self.state}): {self.says}{name}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "take_id": self.take_id,
            "key": self.key,
            "state": self.state.value,
            "says": self.says,
        }


def reconcile(
    out: str | Path,
    *,
    bought: Mapping[str, str] | None = None,
    not_bought: Sequence[str] = (),
) -> list[Settled]:
    """Ask the service about every uncertain take of a run, and write down what is found.

    A take that is found is adopted, one that surely never arrived may be sent again by the next
    run, and one that nobody can tell about stays as it is. bought (take id to the service's job
    id) and not_bought are a person's word where the service gives none; a job must be known to it.
    Raises InputError for a take that is not uncertain, and for a job that is another take.
    """
    folder = RunFolder(out)
    folder.check()
    bought = bought or {}
    with folder.lock(), Ledger.write(folder.ledger) as ledger:
        rows = {row.take_id: row for row in ledger.takes() if row.state in _OPEN}
        known = {row.job.id: row.take_id for row in ledger.takes() if row.job is not None}
        if len(set(bought.values())) < len(bought):
            raise InputError("one job cannot be two takes; give each its own id")
        for take_id, job_id in bought.items():
            if job_id in known:
                raise InputError(f"{take_id}: job {job_id} is take {known[job_id]} already")
        for take_id in (*bought, *not_bought):
            if take_id not in rows:
                raise InputError(
                    f"{take_id}: is no uncertain take of this run; "
                    + (did_you_mean(take_id, rows) if rows else "there is none")
                )
        if not rows:
            return []
        backend = open_backend(next(iter(rows.values())).take.backend)
        try:
            return [
                _settle(
                    row,
                    folder,
                    ledger,
                    backend,
                    key=_key(ledger, row.take_id),
                    job_id=bought.get(row.take_id),
                    absent=row.take_id in not_bought,
                )
                for row in rows.values()
            ]
        finally:
            backend.close()


def _key(ledger: Ledger, take_id: str) -> str:
    """Our name for a take at the service; "" when it was lost with a damaged ledger."""
    lost = (ledger.fact("lost") or {}).get("facts", [])
    if "run_id" in lost and UNKNOWN_ACCOUNT in ledger.submission_accounts(take_id):
        return ""
    return job_key(str(ledger.fact("run_id")), take_id)


def _as_told(backend: Backend, take: Take, job_id: str) -> tuple[Job | str, str]:
    """The job a person found, if the service knows it; otherwise why that stays unknown."""
    job = backend.adopt(take, job_id)
    try:
        if job.id in backend.poll([job]):
            return job, ""
    except LabError as error:
        return "unknown", str(error)
    return "unknown", f"the service knows no job {job_id}"


def _settle(
    row: TakeRow,
    folder: RunFolder,
    ledger: Ledger,
    backend: Backend,
    *,
    key: str,
    job_id: str | None,
    absent: bool,
) -> Settled:
    take = row.take.relocated(folder.locate)
    why = "the service cannot say"
    found: Job | str = "unknown"
    if ledger.fact("origin") != backend.origin:
        place = ledger.fact("origin") or "a place that was lost with a damaged ledger"
        why = f"it was sent to {place} and {backend.name} is now {backend.origin}"
    elif not key:
        why = "the name it was sent under was lost; look for its prompt at the service"
    else:
        try:
            found = backend.lookup(take, key)
        except LabError as error:
            why = str(error)
    if found == "absent" and set(ledger.submission_accounts(row.take_id)) != {backend.account}:
        found, why = "unknown", "it may have been sent with another key, which alone could find it"
    said = "found at the service and adopted"
    if not isinstance(found, Job) and job_id is not None:
        found, why = _as_told(backend, take, job_id)
        said = f"adopted as job {job_id}, which the service knows"
    if isinstance(found, Job):
        after = ledger.record(row.take_id, "submitted", job=found.to_json(), message=said)
    elif found == "absent" or absent:
        said = "the service never got it" if found == "absent" else "not bought, a person says"
        after = ledger.record(row.take_id, "not_submitted", message=said)
        said += "; the next run sends it"
    else:
        said = f"still unknown: {why}"
        after = ledger.record(row.take_id, "uncertain", message=said)
    return Settled(row.take_id, key, after.state, said)
