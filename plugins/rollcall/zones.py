"""Time zones as people call them."""

ZONES = {
    "hawaii": "Pacific/Honolulu",
    "alaska": "America/Anchorage",
    "pacific": "America/Los_Angeles",
    "mountain": "America/Denver",
    "arizona": "America/Phoenix",
    "central": "America/Chicago",
    "eastern": "America/New_York",
}
"""Time zones by the names that people call them by."""


def zone_named(text: str) -> str:
    """A time zone's name, of what a person calls it: ``Pacific`` is ``America/Los_Angeles``."""
    return ZONES.get(text.strip().lower().removesuffix(" time"), text.strip())


def zone_in_words(name: str) -> str:
    """A time zone as people write it; ``Etc/GMT+5``, whose sign is reversed, is the founding document's EST."""
    if name == "Etc/GMT+5":
        return "EST"
    called = {zone: word for word, zone in ZONES.items()}.get(name)
    return f"{called.capitalize()} time" if called else name.replace("_", " ")
