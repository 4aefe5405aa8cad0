"""How long a guesser of passwords is kept waiting."""

from rollcall.stack.sftp_guesses import (
    FORGOTTEN_AFTER_SECONDS,
    FREE_TRIES,
    LONGEST_PAUSE_SECONDS,
    LONGEST_WAIT_SECONDS,
    MOST_UNKNOWN_NAMES,
    Guesses,
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def one_after_the_other(guesses: Guesses, clock: Clock, tries: int, name: str = "maple") -> list[float | None]:
    """The waits of tries, each made when the one before it was looked at."""
    waits = []
    for _ in range(tries):
        wait = guesses.seconds_to_wait(name, has_account=True)
        waits.append(wait)
        clock.now += wait or 0
    return waits


def test_after_a_few_tries_each_waits_twice_as_long_up_to_a_limit() -> None:
    clock = Clock()
    waits = one_after_the_other(Guesses(clock), clock, 12)
    assert waits == [0] * FREE_TRIES + [1, 2, 4, 8, 8, 8, 8]
    assert waits[-1] == LONGEST_PAUSE_SECONDS


def test_tries_at_once_wait_for_each_other_and_too_many_are_refused_unseen() -> None:
    guesses = Guesses(Clock())
    waits = [guesses.seconds_to_wait("maple", has_account=True) for _ in range(200)]
    seen = [wait for wait in waits if wait is not None]
    assert seen == [0, 0, 0, 0, 0, 1, 3, 7, 15]
    assert max(seen) <= LONGEST_WAIT_SECONDS


def test_refused_tries_do_not_keep_an_account_closed_for_ever() -> None:
    clock = Clock()
    guesses = Guesses(clock)
    for _ in range(10_000):
        guesses.seconds_to_wait("maple", has_account=True)
    clock.now += LONGEST_WAIT_SECONDS + LONGEST_PAUSE_SECONDS
    assert guesses.seconds_to_wait("maple", has_account=True) == 0


def test_law_6_tries_at_one_account_cost_no_other() -> None:
    guesses = Guesses(Clock())
    for _ in range(50):
        guesses.seconds_to_wait("maple", has_account=True)
        guesses.seconds_to_wait("nobody", has_account=False)
    assert guesses.seconds_to_wait("maple--rollcall", has_account=True) == 0
    assert guesses.seconds_to_wait("oak", has_account=True) == 0


def test_the_right_password_and_a_quiet_while_end_it() -> None:
    clock = Clock()
    guesses = Guesses(clock)
    one_after_the_other(guesses, clock, 10)
    guesses.forget("maple")
    assert one_after_the_other(guesses, clock, FREE_TRIES + 1) == [0] * FREE_TRIES + [1]
    clock.now += FORGOTTEN_AFTER_SECONDS + LONGEST_PAUSE_SECONDS + 1
    assert one_after_the_other(guesses, clock, FREE_TRIES + 1) == [0] * FREE_TRIES + [1]


def test_names_without_an_account_are_slowed_too_and_cost_no_memory() -> None:
    clock = Clock()
    guesses = Guesses(clock)
    waits = [guesses.seconds_to_wait("nobody", has_account=False) for _ in range(FREE_TRIES + 1)]
    assert waits[-1] == 1
    for number in range(MOST_UNKNOWN_NAMES + 100):
        guesses.seconds_to_wait(f"name-{number}", has_account=False)
    assert len(guesses._of_nobody) == MOST_UNKNOWN_NAMES
    one_after_the_other(guesses, clock, FREE_TRIES)
    assert guesses.seconds_to_wait("maple", has_account=True) == 1, "accounts are not pushed out by names"
