"""Retry with exponential backoff, within a limit of tries and of seconds."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to retry. The wait doubles from min_wait_s to at most max_wait_s."""

    tries: int
    seconds: float
    min_wait_s: float = 1.0
    max_wait_s: float = 30.0

    def backoff_s(self, failures: int, jitter: float) -> float:
        """The wait after that many failures. jitter, 0..1, spreads the retries of many clients."""
        wait_s = min(self.max_wait_s, self.min_wait_s * 2 ** (failures - 1))
        return float(wait_s * (0.5 + jitter / 2))


@dataclass(frozen=True)
class RetryPolicies:
    """One policy for each kind of request, so that none uses up the limits of another.

    connect: a submission whose connection failed. query: a query that failed. rate_limit: a query
    that exceeded the rate limit. poll: one poll of job states; the runner polls again anyway.
    download: one clip. second_lookup_delay_s: the wait before a job or an element that was not
    found is looked up again.
    """

    connect: RetryPolicy = RetryPolicy(tries=3, seconds=20.0, min_wait_s=0.5)
    query: RetryPolicy = RetryPolicy(tries=5, seconds=90.0)
    rate_limit: RetryPolicy = RetryPolicy(tries=10, seconds=300.0)
    poll: RetryPolicy = RetryPolicy(tries=3, seconds=45.0)
    download: RetryPolicy = RetryPolicy(tries=6, seconds=1800.0)
    second_lookup_delay_s: float = 2.0


class Clock:
    """The time, interruptible waits and the jitter of retries.

    now: seconds of a monotonic clock. sleep: waits that many seconds and returns True if
    `closing` cut it short. jitter: a random number, 0..1. closing: ends every wait.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], bool] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.closing = threading.Event()
        self.now = now
        self.sleep = sleep or self.closing.wait
        self.jitter = jitter


class Retries:
    """Counts the failed tries of one request, and the seconds that they and their waits took."""

    def __init__(self, policy: RetryPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._started_s = 0.0
        self._spent_s = 0.0
        self._failures = 0

    def start_try(self) -> None:
        """Record the start of a try."""
        self._started_s = self._clock.now()

    def wait(self) -> bool:
        """Wait after a failed try. False if the limits are reached or the client was closed."""
        self._failures += 1
        wait_s = self._policy.backoff_s(self._failures, self._clock.jitter())
        self._spent_s += self._clock.now() - self._started_s + wait_s
        out_of_time = self._spent_s > self._policy.seconds
        if self._failures >= self._policy.tries or out_of_time or self._clock.closing.is_set():
            return False
        return not self._clock.sleep(wait_s)

    def reset(self) -> None:
        """Reset the number of failed tries after a try that made progress."""
        self._failures = 0
