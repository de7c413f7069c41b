"""Every registered backend fulfils the contract."""

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from lab.backends import (
    BACKENDS,
    Backend,
    ElementState,
    FetchResult,
    Job,
    element_library,
    open_backend,
    unsupported,
)
from lab.backends.contract import JobState
from lab.elements import Element
from lab.emulator import Emulator, TaskTiming, serving
from lab.errors import BackendError
from lab.media import frames, probe
from lab.shots import ShotSettings
from lab.stills import Still
from lab.takes import Take
from lab.units import RATIOS, SHORT_SIDE_PX


@contextmanager
def _kling() -> Iterator[dict[str, str]]:
    with serving(Emulator(timing=TaskTiming.instant())) as running:
        yield {**running.environment, "KLING_SETTLE_S": "0"}


# What a backend needs outside itself, as a context that yields environment variables.
_ENVIRONMENTS = {"kling": _kling}


def _environment(backend: str) -> AbstractContextManager[dict[str, str]]:
    return _ENVIRONMENTS[backend]() if backend in _ENVIRONMENTS else nullcontext({})


@pytest.fixture(params=sorted(BACKENDS), scope="module")
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Each backend, ready for use; a service runs on loopback."""
    with pytest.MonkeyPatch.context() as patch, _environment(request.param) as variables:
        for name, value in variables.items():
            patch.setenv(name, value)
        opened = open_backend(request.param)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def take(backend: Backend, take_of: Callable[..., Take]) -> Take:
    """The shortest take of this backend, but at least a few frames."""
    can = backend.capabilities
    return take_of(
        backend=backend.name,
        duration_s=max(can.duration_s[0], 0.3),
        aspect_ratio=can.aspect_ratios[0],
        resolution=can.resolutions[0],
        fps=can.fps[0],
        seed=1 if can.seed else None,
    )


@pytest.fixture(scope="module")
def job(backend: Backend, take: Take) -> Job:
    """A job of that take."""
    return backend.submit(take, new_key())


class TestBackend:
    """One suite for all backends."""

    def test_it_is_found_by_its_name(self, backend: Backend) -> None:
        """The key in the table is the name in jobs and takes."""
        assert BACKENDS[backend.name] is type(backend)

    def test_its_secrets_are_known_without_an_account(self, backend: Backend) -> None:
        """The class names each secret and its setting; neither repr nor str shows the text."""
        for secret in type(backend).secrets():
            assert secret.setting
            assert secret.text
            assert secret.text not in f"{secret!r} {secret} {secret.setting}"

    def test_capabilities_are_consistent(self, backend: Backend) -> None:
        """Ranges are valid, names are known, and options do not hide common settings."""
        can = backend.capabilities
        low, high = can.duration_s
        assert 0 < low <= high
        assert can.duration_step_s is None or can.duration_step_s > 0
        assert set(can.aspect_ratios) <= set(RATIOS)
        assert set(can.resolutions) <= set(SHORT_SIDE_PX)
        assert can.aspect_ratios
        assert can.resolutions
        assert can.fps
        assert all(rate > 0 for rate in can.fps)
        assert can.concurrency >= 1
        assert can.poll_every_s >= 0
        names = [option.name for option in can.options]
        assert len(names) == len(set(names))
        assert not set(names) & set(ShotSettings.__dataclass_fields__)
        for option in can.options:
            assert option.description
            assert (option.low is None) == (option.high is None)
            if option.low is not None and option.high is not None:
                assert option.low <= float(option.default) <= option.high

    def test_only_a_simulated_clip_is_rendered_locally(self, backend: Backend) -> None:
        """Recovery plans such a take again, so it has to be free."""
        assert not backend.capabilities.renders_locally or backend.capabilities.simulated

    def test_a_quote_is_a_price(self, backend: Backend, take: Take) -> None:
        """Never negative, and low is at most high."""
        quote = backend.quote(take.shot)
        assert 0 <= quote.low_usd <= quote.high_usd
        assert quote.seconds > 0
        assert quote.bytes > 0

    def test_more_of_it_never_costs_less(self, backend: Backend, take: Take) -> None:
        """The longest clip costs at least as much as the shortest."""
        longest = backend.capabilities.duration_s[1]
        shot = replace(take.shot, settings=replace(take.shot.settings, duration_s=longest))
        short, long = backend.quote(take.shot), backend.quote(shot)
        assert long.high_usd >= short.high_usd
        assert long.seconds >= short.seconds

    def test_what_is_in_range_is_not_refused(self, backend: Backend, take: Take) -> None:
        """A shot within the capabilities is not blocked."""
        assert not [item for item in unsupported(backend, take.shot) if item.blocking]

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("duration_s", 59.99),
            ("duration_s", 0.01),
            ("fps", 17.0),
            ("options", (("no_such_option", 1),)),
        ],
    )
    def test_what_is_out_of_range_blocks(
        self, backend: Backend, take: Take, setting: str, value: object
    ) -> None:
        """A setting beyond the capabilities is blocked, with the accepted values."""
        settings = replace(take.shot.settings, **{setting: value})
        blocking = [
            item
            for item in unsupported(backend, replace(take.shot, settings=settings))
            if item.blocking
        ]
        (item,) = blocking
        assert item.setting == ("no_such_option" if setting == "options" else setting)
        assert item.reason

    def test_own_options_are_held_to_their_range(self, backend: Backend, take: Take) -> None:
        """A value outside an option's range blocks, and so does a value of another type."""
        for option in backend.capabilities.options:
            if option.high is None:
                continue
            for value in (option.high + 1, "much", True):
                settings = replace(take.shot.settings, options=((option.name, value),))
                items = unsupported(backend, replace(take.shot, settings=settings))
                assert [item.setting for item in items if item.blocking] == [option.name]

    def test_a_job_is_plain_data(self, backend: Backend, take: Take) -> None:
        """A job survives JSON and contains its take and its backend."""
        job = backend.submit(take, new_key())
        again = Job.from_json(json.loads(json.dumps(job.to_json(), allow_nan=False)))
        assert again == job
        assert (job.backend, job.take_id) == (backend.name, take.id)

    def test_polling_answers_by_id(self, backend: Backend, take: Take) -> None:
        """The result is by job id; no jobs give an empty result."""
        jobs = [backend.submit(replace(take, repeat=repeat), new_key()) for repeat in (1, 2, 3)]
        statuses = backend.poll(jobs)
        assert set(statuses) <= {job.id for job in jobs}
        assert len({job.id for job in jobs}) == 3
        assert all(isinstance(status.state, JobState) for status in statuses.values())
        assert dict(backend.poll([])) == {}

    def test_a_submitted_take_is_never_absent(self, backend: Backend, take: Take) -> None:
        """A look-up of a submitted take finds it or returns unknown."""
        key = new_key()
        job = backend.submit(take, key)
        result = backend.lookup(take, key)
        assert result != "absent"
        if backend.capabilities.lookup:
            assert isinstance(result, Job)
            assert (result.id, result.take_id) == (job.id, take.id)

    def test_fetching_writes_the_clip_that_was_asked_for(
        self, backend: Backend, take: Take, job: Job, tmp_path: Path
    ) -> None:
        """Size, frame rate and frame count match the take, and every frame decodes."""
        path = tmp_path / "clip.mp4"
        fetched = backend.fetch(job, path)
        settings, facts = take.shot.settings, probe(path)
        assert (facts.width_px, facts.height_px) == settings.size_px
        assert facts.fps == pytest.approx(settings.fps, rel=0.01)
        assert abs(sum(1 for _ in frames(path, 64)) - settings.frames) <= 1
        assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]
        assert isinstance(fetched, FetchResult)
        assert set(fetched.honoured) <= set(take.shot.prompt.terms)
        json.dumps(fetched.to_json(), allow_nan=False)

    def test_fetching_again_is_allowed(
        self, backend: Backend, take: Take, job: Job, tmp_path: Path
    ) -> None:
        """A second fetch replaces the file, whatever it contained."""
        path = tmp_path / "clip.mp4"
        path.write_bytes(b"half of something")
        assert backend.fetch(job, path) == backend.fetch(job, path)
        assert probe(path).frames == pytest.approx(take.shot.settings.frames, abs=1)

    def test_elements_have_a_life_cycle(self, backend: Backend, coffee: Still) -> None:
        """Register, find by our key, list and delete; or registering is refused."""
        if not backend.capabilities.registers_elements:
            with pytest.raises(BackendError, match="registers no elements"):
                element_library(backend)
            return
        library, key = element_library(backend), new_key()
        element = Element.from_pictures("hero", [coffee])
        assert library.limits(element) == ()
        assert library.find(key, confirm_absent=False) == "absent"
        sent = library.register(element, key)
        made = library.poll(sent.registration_id)
        assert made is not None
        assert (made.state, made.key, made.registration_id) == (
            ElementState.READY,
            key,
            sent.registration_id,
        )
        assert library.find(key, confirm_absent=True) == made
        assert library.list_elements() == (made,)
        library.delete(made.id)
        library.delete(made.id)
        assert library.list_elements() == ()

    def test_another_process_can_continue(
        self, backend: Backend, take: Take, job: Job, tmp_path: Path
    ) -> None:
        """A new process polls and fetches a job from its JSON alone."""
        path = tmp_path / "clip.mp4"
        program = (
            "import json, sys; from pathlib import Path;"
            "from lab.backends import Job, open_backend;"
            "job = Job.from_json(json.load(sys.stdin)); backend = open_backend(job.backend);"
            "print(backend.poll([job])[job.id].state);"
            "backend.fetch(job, Path(sys.argv[1])); backend.close()"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)],
            input=json.dumps(job.to_json()),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        assert done.stdout.strip() == JobState.DONE
        assert probe(path).width_px == take.shot.settings.size_px[0]


def new_key() -> str:
    """A key that no take has used, as a service requires."""
    return f"test-{secrets.token_hex(8)}"


def test_an_unknown_backend_gets_a_hint() -> None:
    """The message suggests the nearest name."""
    with pytest.raises(BackendError, match="did you mean 'offline'"):
        open_backend("ofline")
