"""YAML, read by libyaml where PyYAML was built with it: a thirtieth to a fifth of the time."""

from typing import Any

import yaml

LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str) -> Any:
    """What a YAML text says.

    Raises:
        yaml.YAMLError: it is no YAML.
        ValueError: it names a date that does not exist.
    """
    return yaml.load(text, Loader=LOADER)  # noqa: S506 -- either is a safe loader
