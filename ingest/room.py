"""Room for posts: how many at once, and how many bytes of their bodies."""

from __future__ import annotations

from typing import Self

from ingest.problems import unavailable


class Room:
    """Counts what all posts in hand take up."""

    def __init__(self, posts: int, size: int) -> None:
        self._posts = posts
        self._size = size
        self.posts_held = 0
        self.bytes_held = 0

    def place(self) -> Place:
        """Return a place to enter; raises Problem 503 where there are too many posts."""
        if self.posts_held >= self._posts:
            raise unavailable("posts", "Too many requests are in hand; try again.", 1.0)
        return Place(self)

    def more(self, size: int) -> None:
        """Count bytes kept; raises Problem 503 where all bodies together are too many."""
        if self.bytes_held + size > self._size:
            raise unavailable("bodies", "Too many bodies are in hand; try again.", 1.0)
        self.bytes_held += size


class Place:
    """One post's place, and the bytes of its body, given back at its end."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._bytes = 0

    def __enter__(self) -> Self:
        """Take the place."""
        self._room.posts_held += 1
        return self

    def __exit__(self, *_exception: object) -> None:
        """Give back all that it held."""
        self._room.posts_held -= 1
        self._room.bytes_held -= self._bytes

    def hold(self, size: int) -> None:
        """Count bytes kept; raises Problem 503."""
        self._room.more(size)
        self._bytes += size
