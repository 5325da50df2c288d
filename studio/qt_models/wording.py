"""Words that several views and models share: what is counted, and how a time is typed."""

from PySide6.QtCore import QCoreApplication

from studio.project.timecode import FRAME_RATE_HZ


def counted(number: float, one: str, many: str) -> str:
    """`one` or `many`, with the number in the place of `{num}`; both are in the person's language already."""
    return (one if number == 1 else many).format(num=f"{number:g}")


def timecode_words() -> str:
    """What a timecode is and how it may be typed, for tool tips."""
    words = QCoreApplication.translate(
        "wording",
        "Hours:minutes:seconds:frames, with {rate} frames a second.\n"
        "Shorter is taken too: 14 is 14 seconds, 14:06 is 6 frames more, 1:14:06 a minute more.",
    )
    return words.format(rate=FRAME_RATE_HZ)
