"""Synthetic against real: combined effects, agreement, fidelity, privacy, verdict. Only this package knows which dataset is the real one."""
