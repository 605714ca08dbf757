"""Properties that are computed once for each object, without a lock."""

from __future__ import annotations

from typing import Any, Callable, Generic, Optional, TypeVar, Union, overload

T = TypeVar("T")


class once(Generic[T]):
    """Property that is computed at its first use and kept in the object's `__dict__`.

    As `functools.cached_property`, which until Python 3.11 takes one lock for all objects of a
    class: a process that was forked while another thread held it waits for it for ever. Two threads
    may compute the value at once, and one of them is kept, so it must be the same from both.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: Optional[type] = None) -> once[T]: ...

    @overload
    def __get__(self, instance: object, owner: Optional[type] = None) -> T: ...

    def __get__(self, instance: object, owner: Optional[type] = None) -> Union[once[T], T]:
        if instance is None:
            return self
        value = self._compute(instance)
        # found there from now on: a descriptor without __set__ comes second
        instance.__dict__[self._name] = value
        return value
