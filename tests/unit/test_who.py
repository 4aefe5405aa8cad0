"""Who is at work on the command line: what they say, and what the operating system knows."""

import os
import pwd

import pytest

from rollcall.who import Person, person

LOGIN = pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize("by", ["", "  "])
def test_whoever_says_nothing_is_the_operating_systems_user(by: str) -> None:
    assert person(by) == Person(LOGIN, LOGIN)
    assert person(by).signed == LOGIN


def test_a_name_that_is_given_is_kept_beside_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "somebody-else")
    assert person("Ada") == Person("Ada", LOGIN), "the environment can say anything"
    assert person("Ada").signed == f"Ada (login {LOGIN})"
