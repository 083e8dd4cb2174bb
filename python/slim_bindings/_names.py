"""Names of applications and channels."""

from __future__ import annotations

from . import _slim

ANY_ID = 2**64 - 1


def check_text(value: object) -> str:
    """A str, or TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"argument must be str, not {type(value).__name__}")
    return value


def check_number(value: object, bits: int = 64) -> int:
    """An unsigned number of so many bits, or TypeError, ValueError."""
    if not hasattr(value, "__index__"):
        raise TypeError(f"'{type(value).__name__}' object cannot be interpreted as an integer")
    number = value.__index__()  # type: ignore[attr-defined]
    if not 0 <= number < 2**bits:
        raise ValueError(f"u{bits} requires 0 <= value < {2**bits}")
    return number


class Name:
    """Three strings and the id of one instance: organization, namespace, application or channel.

    Equal when the hashes of the strings and the ids are equal, as nodes compare. Copied and pickled by value.
    """

    __slots__ = ("__weakref__", "_hashes", "_parts")
    _parts: tuple[str, str, str, int]

    def __init__(self, component0: str, component1: str, component2: str) -> None:
        self._parts = (check_text(component0), check_text(component1), check_text(component2), ANY_ID)
        self._hashes = None

    @classmethod
    def new_with_id(cls, component0: str, component1: str, component2: str, id: int) -> Name:
        """A name with an id, 0 <= id < 2**64."""
        made = cls(component0, component1, component2)
        made._parts = (*made._parts[:3], check_number(id))
        return made

    @classmethod
    def from_string(cls, s: str) -> Name:
        """From "organization/namespace/application", without an id. SlimError.InvalidArgument: another number of parts, or an empty one."""
        parts = check_text(s).split("/")
        if len(parts) != 3 or not all(parts):
            from ._errors import SlimError

            raise SlimError.InvalidArgument(f'expected "org/namespace/agent", got "{s}"')
        return cls(*parts)

    @classmethod
    def _of(cls, parts: tuple[str, str, str, int]) -> Name:
        made = cls.__new__(cls)
        made._parts = parts
        made._hashes = None
        return made

    def components(self) -> list[str]:
        """The three strings."""
        return list(self._parts[:3])

    def id(self) -> int:
        """The id; 2**64 - 1: any."""
        return self._parts[3]

    def _key(self) -> tuple[int, ...]:
        if self._hashes is None:
            self._hashes = tuple(_slim.hash_component(part) for part in self._parts[:3])
        return (*self._hashes, self._parts[3])

    def __str__(self) -> str:
        first, second, third, number = self._parts
        return f"{first}/{second}/{third}/{number:x}"

    def __repr__(self) -> str:
        hashes = "/".join(f"{number:x}" for number in self._key())
        return f"Name {{ inner: {hashes} ({self}) }}"

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Name) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return self._key() != other._key() if isinstance(other, Name) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Name:
        return type(self)._of(self._parts)

    def __deepcopy__(self, memo: dict) -> Name:
        return type(self)._of(self._parts)

    def __reduce__(self) -> tuple:
        return (type(self).new_with_id, self._parts)


def parts_of(name: object) -> tuple[str, str, str, int]:
    """The parts of a Name, or TypeError."""
    if not isinstance(name, Name):
        raise TypeError(f"Expected Name instance, {type(name).__name__} found")
    return name._parts
