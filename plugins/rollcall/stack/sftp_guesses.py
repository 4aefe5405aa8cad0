"""How fast passwords may be guessed at the local SFTP server: slower with each try, account by account.

Never by address: one address is a whole county office, or Rollcall itself.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE_TRIES = 5
"""Tries of one account in a row that nobody waits for."""
FIRST_PAUSE_SECONDS = 1.0
"""Before the first try after those; each further pause is twice as long."""
LONGEST_PAUSE_SECONDS = 8.0
LONGEST_WAIT_SECONDS = 20.0
"""A try that would have to wait longer, behind others of its account, is refused unseen."""
FORGOTTEN_AFTER_SECONDS = 900.0
MOST_UNKNOWN_NAMES = 10_000
"""Names without an account that are remembered, so that guessing names costs no memory."""


@dataclass
class _Tries:
    count: int = 0
    next_at: float = 0.0
    """When the next one may be looked at."""


class Guesses:
    """Counts tries by account name, whether there is such an account or not.

    Args:
        clock: Seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of_accounts: OrderedDict[str, _Tries] = OrderedDict()
        self._of_nobody: OrderedDict[str, _Tries] = OrderedDict()

    def seconds_to_wait(self, name: str, *, has_account: bool) -> float | None:
        """Count a try, and say for how long it waits until its password is looked at.

        Args:
            name: The account's name, as given.
            has_account: Whether there is such an account.

        Returns:
            Seconds, or None when too many tries of the account wait already: this one is refused, and does not count.
        """
        now = self._clock()
        tries = self._tries(name, now, has_account=has_account)
        wait = max(0.0, tries.next_at - now)
        if wait > LONGEST_WAIT_SECONDS:
            return None
        tries.count += 1
        tries.next_at = now + wait + _pause_after(tries.count)
        return wait

    def forget(self, name: str) -> None:
        """The password was right: the account starts anew."""
        self._of_accounts.pop(name, None)

    def _tries(self, name: str, now: float, *, has_account: bool) -> _Tries:
        """What is known of a name, the newest last; what is old or too much is let go."""
        known = self._of_accounts if has_account else self._of_nobody
        tries = known.setdefault(name, _Tries())
        known.move_to_end(name)
        if tries.next_at + FORGOTTEN_AFTER_SECONDS < now:
            tries.count = 0
        while len(self._of_nobody) > MOST_UNKNOWN_NAMES:
            self._of_nobody.popitem(last=False)
        return tries


def _pause_after(count: int) -> float:
    """Seconds between a try and the next one, by how many there were."""
    beyond = count - FREE_TRIES
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(beyond, 32), LONGEST_PAUSE_SECONDS) if beyond >= 0 else 0.0
