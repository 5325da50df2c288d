"""The one error tree of LPM Studio; every message says what was wrong, with which file or value, and what to do.

    LpmError
    ├── BadInputError            a person's file or value cannot be used
    ├── CharacterError           a character folder is incomplete or unreadable
    ├── BadPackError             a model pack is missing, damaged or made for another release
    ├── MissingDependencyError   an optional package or system library is not installed
    └── CancelledError           the person stopped the job; nothing is left behind

Configuration mistakes of a programmer are `ValueError`, our own bugs are `assert`.
"""


class LpmError(Exception):
    """Any failure that a person can do something about."""


class BadInputError(LpmError):
    """A file or a value given by a person cannot be used."""


class CharacterError(LpmError):
    """A character folder is incomplete or unreadable."""


class BadPackError(LpmError):
    """A model pack is missing, damaged or made for another release."""


class MissingDependencyError(LpmError):
    """An optional package or a system library is not installed."""


class CancelledError(LpmError):
    """The person stopped the job."""
