"""Build the request that submits a take, and the job for the reply."""

from collections.abc import Iterable

from lab.backends.contract import Job
from lab.backends.kling import legacy, modern
from lab.backends.kling.account import Account
from lab.backends.kling.catalogue import Catalogue, Protocol
from lab.backends.kling.pictures import PictureCache
from lab.backends.kling.wire import EncodedFrames, JobInfo, Reply, Request
from lab.errors import BackendError, StillError
from lab.shots import Shot
from lab.takes import Take

NAME = "kling"


class Submissions:
    """Builds submissions for one account. Sends nothing."""

    def __init__(self, account: Account, catalogue: Catalogue, pictures: PictureCache) -> None:
        self._account = account
        self._catalogue = catalogue
        self._pictures = pictures

    def protocol(self, shot: Shot) -> Protocol:
        """The protocol for a shot. Stills need the legacy one: the new one has no known path."""
        return "legacy" if shot.makes == "still" else self._account.submit_protocol

    def possible_protocols(self, shot: Shot) -> tuple[Protocol, ...]:
        """The protocols in which a shot may have been submitted, `protocol` first.

        Another process may have used the other protocol.
        """
        own = self.protocol(shot)
        other: Protocol = "legacy" if own == "new" else "new"
        other_possible = shot.makes == "clip" or other == "legacy"
        if other_possible and self._account.has_key_for(other) and self.path(shot, other):
            return own, other
        return (own,)

    def path(self, shot: Shot, protocol: Protocol) -> str:
        """The API path for a shot; "" if the protocol has none."""
        if shot.makes == "still":
            return self._catalogue.stills.path
        model = self._catalogue.model_of(shot)
        return model.path(protocol, from_image=shot.still is not None) or ""

    def request(self, take: Take, external_id: str) -> tuple[Request, tuple[str, ...]]:
        """The request that submits a take, and notes on how its stills were changed.

        Raises BackendError if a still cannot be used.
        """
        shot, protocol = take.shot, self.protocol(take.shot)
        callback_url = self._account.callback_url or ""
        if shot.makes == "still":
            stills = self._catalogue.stills
            return legacy.build_still(
                take, external_id, stills=stills, callback_url=callback_url
            ), ()
        max_bytes = round(self._catalogue.protocols[protocol].picture_mb * 1e6)
        notes: list[str] = []
        pictures: list[str | None] = []
        for setting, still in (("still", shot.still), ("end_still", shot.end_still)):
            if still is None:
                pictures.append(None)
                continue
            try:
                picture = self._pictures.encode(still, shot.settings.aspect_ratio, max_bytes)
            except StillError as error:
                raise BackendError(f"take {take.id}: {error}") from error
            pictures.append(picture.base64)
            notes += [f"{setting}: {note}" for note in picture.notes]
        request = (modern.build if protocol == "new" else legacy.build)(
            take,
            external_id,
            model=self._catalogue.model_of(shot),
            frames=EncodedFrames(*pictures),
            callback_url=callback_url,
        )
        return request, tuple(notes)

    def parse_reply(self, take: Take, reply: Reply) -> JobInfo:
        """The job in the reply to a submission. Raises WireError if it contains none."""
        parse = modern.parse_created if self.protocol(take.shot) == "new" else legacy.parse_job
        return parse(reply, unit_prices=self._catalogue.unit_prices)

    def job(
        self,
        take: Take,
        job_id: str,
        *,
        external_id: str,
        protocol: Protocol,
        notes: Iterable[str] = (),
    ) -> Job:
        """The job of a take, with everything that another process needs to continue it."""
        shot, settings = take.shot, take.shot.settings
        makes_still = shot.makes == "still"
        return Job(
            NAME,
            job_id,
            take.id,
            {
                "host": self._account.origin,
                "region": "" if self._account.url else self._account.region,
                "protocol": protocol,
                "path": self.path(shot, protocol),
                "model": self._catalogue.stills.model
                if makes_still
                else self._catalogue.model_name(shot),
                "key": external_id,
                "makes": shot.makes,
                "asked": {
                    "duration_s": settings.duration_s,
                    "aspect_ratio": settings.aspect_ratio,
                    "resolution": settings.resolution,
                    "fps": settings.fps,
                    "sound": settings.sound,
                    "seed": settings.seed,
                },
                "notes": list(notes),
            },
        )
