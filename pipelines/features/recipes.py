"""Which function of a backend computes which feature."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pipelines.features.schema import Feature

Function = TypeVar("Function", bound=Callable[..., Any])


class Recipes(Generic[Function]):
    """The functions of a backend, by the classes of the features that they compute.

    A subclass does not inherit its parent's function: it would be computed as its parent, unnoticed.

    Parameters
    ----------
    backend : str
        Its name, for the message.

    Examples
    --------
    >>> from pipelines.features.schema import LogMel, MusicnnMel
    >>> recipes = Recipes("mine")
    >>> @recipes.register(LogMel)
    ... def log_mel(feature):
    ...     return "log-mel"
    >>> recipes.of(LogMel())(LogMel())
    'log-mel'
    >>> recipes.of(MusicnnMel())
    Traceback (most recent call last):
    ...
    NotImplementedError: the backend mine has no recipe for MusicnnMel
    """

    def __init__(self, backend: str):
        self._backend = backend
        self._functions: dict[type[Feature], Function] = {}

    def register(self, *features: type[Feature]) -> Callable[[Function], Function]:
        """Declares a function to be the recipe of some classes of features."""

        def registered(function: Function) -> Function:
            self._functions |= dict.fromkeys(features, function)
            return function

        return registered

    def of(self, feature: Feature) -> Function:
        """The recipe of a feature's class.

        Raises
        ------
        NotImplementedError
            The class has none of its own.
        """
        try:
            return self._functions[type(feature)]
        except KeyError:
            name = type(feature).__name__
            raise NotImplementedError(f"the backend {self._backend} has no recipe for {name}") from None
