"""Open the connections to the service on first use and close them together."""

import threading

from lab.backends.kling.account import Account
from lab.backends.kling.download import Downloader
from lab.backends.kling.retries import RetryPolicies
from lab.backends.kling.transport import Transport


class Connections:
    """The transport and the downloader of one account, opened on first use.

    Plans and quotes need neither. Safe to share between threads.
    """

    def __init__(
        self, account: Account, policies: RetryPolicies, transport: Transport | None = None
    ) -> None:
        self._account = account
        self._policies = policies
        self._lock = threading.Lock()
        self._closed = False
        self._transport = transport
        self._downloader: Downloader | None = None

    def transport(self) -> Transport:
        """The connections for submissions and queries."""
        with self._lock:
            if self._transport is None:
                self._transport = Transport(self._account, policies=self._policies)
                if self._closed:
                    self._transport.close()
            return self._transport

    def downloader(self) -> Downloader:
        """The connections for downloads."""
        with self._lock:
            if self._downloader is None:
                self._downloader = Downloader(self._account, policy=self._policies.download)
                if self._closed:
                    self._downloader.close()
            return self._downloader

    def close(self) -> None:
        """Close the connections. Waits end at once; a later use is refused."""
        with self._lock:
            self._closed = True
            opened = (self._transport, self._downloader)
        for connection in opened:
            if connection is not None:
                connection.close()
