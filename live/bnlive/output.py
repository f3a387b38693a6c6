"""What a cell prints, on its way to the page: often enough, and not too much."""

import io
import time

# Of more than MOST characters of a cell only the LAST are shown: they hold the verdict.
MOST, LAST = 20_000, 2_000
# Seconds between two messages: a loop that prints must not drown the page.
OFTEN = 0.1
CUT = "\n… a part of the output is left out\n"


class Stream(io.TextIOBase):
    """A text stream that sends what is written to the page, piece by piece.

    Parameters
    ----------
    send : callable
        ``send("text", piece)`` brings a piece to the page.

    Examples
    --------
    >>> with Stream(lambda kind, text: print(kind, len(text))) as stream:
    ...     count = stream.write("x" * 30_000)
    text 2036
    """

    def __init__(self, send):
        self._send, self._text, self._count, self._next = send, "", 0, 0.0

    def writable(self):
        """Say that this stream can be written to."""
        return True

    def write(self, text):
        """Take a text, send it now or keep it for the next message."""
        self._text, self._count = self._text + text, self._count + len(text)
        if self._count > MOST:
            self._text = self._text[-LAST:]
        elif text.endswith("\n") and time.monotonic() > self._next:
            self.flush()
        return len(text)

    def flush(self):
        """Send what has been kept."""
        text, self._text = self._text, ""
        if text:
            self._send("text", CUT + text if self._count > MOST else text)
        self._next = time.monotonic() + OFTEN

    def send(self, kind, content):
        """Send something else, after the text that came before it."""
        self.flush()
        self._send(kind, content)
