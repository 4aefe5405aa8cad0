"""Archive: every delivery, byte for byte, under the hash of its content, before anything reads it."""

from rollcall.archive.store import Archive, StoredBytes

__all__ = ["Archive", "StoredBytes"]
