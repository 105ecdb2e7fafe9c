"""Faults that no single section of a protocol can know; ``sections`` checks a protocol by itself, ``sites`` against its data."""
