"""The errors that `studies` raises, under one base class."""


class StudyError(Exception):
    """Base of every error that `studies` raises on purpose."""


class CellError(StudyError):
    """A cell, an override of a cell's fields, or a measured row is not as a study declares it."""


class ExportError(StudyError):
    """An output folder or a file in it cannot be written, or there is nothing to write."""


class FigureError(StudyError):
    """The arrays given to a drawing helper do not fit together."""


class StoreError(StudyError):
    """A store of results cannot be opened, read, written or locked."""


class UnknownPreset(StudyError):
    """A study has no preset of this name; the message lists those that it has."""


class UnknownStudy(StudyError):
    """No study has this name; the message lists those that exist."""
