"""What says that there is nothing to draw. It imports nothing that draws: `tables` reads it."""


class NoData(ValueError):
    """A figure has nothing to show; the message is a line for the reader that says why."""
