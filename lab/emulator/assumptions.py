"""What nobody has seen the service do, and the emulator therefore lets you choose."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Assumptions:
    """One answer to each open question; the defaults are the likelier or the stricter ones.

    tokens_on_new_paths: signed tokens are taken on the newer protocol too.
    number_durations: the legacy protocol takes the duration as a number too.
    retired_models: legacy models that were to retire on 2026-09-15 still work.
    expired_status: HTTP status of a link that has expired, 410 or 403.
    media_takes_authorization: the media host ignores an Authorization header, does not refuse it.
    strict_fields: a field that no document gives the model is refused with 400/1201; the service
    itself ignores it (seen live), so that no client ever hears of it there.
    unknown_elements: an order may cite an element id that was never given here, as if the element
    had been made in the console.
    callbacks_twice: every callback is sent twice.
    callbacks_backwards: callbacks that are due together are sent last first.
    """

    tokens_on_new_paths: bool = False
    number_durations: bool = False
    retired_models: bool = True
    expired_status: int = 410
    media_takes_authorization: bool = False
    strict_fields: bool = False
    unknown_elements: bool = False
    callbacks_twice: bool = False
    callbacks_backwards: bool = False
