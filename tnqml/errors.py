"""The errors that this package raises, under one base class."""


class TnqmlError(Exception):
    """Base class of the errors of this package; the engine's are `ContractionError`s."""


class CircuitError(TnqmlError, ValueError):
    """A gate, a circuit or an observable is not well formed."""


class InputError(TnqmlError, ValueError):
    """Data, bits or parameters given to a model do not fit it."""


class RouteError(TnqmlError, ValueError):
    """The way of simulation asked for cannot run this model."""


class StorageError(TnqmlError, ValueError):
    """A saved model cannot be read or written."""
