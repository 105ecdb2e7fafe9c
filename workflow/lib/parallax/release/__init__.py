"""A release: a folder of AI-generated patients that may leave the institution, what it says of itself, and how a study on it compares."""
