"""Small words.

>>> counted(1, "commit"), counted(2, "commit")
('1 commit', '2 commits')
"""


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it is not one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
