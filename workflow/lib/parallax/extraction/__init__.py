"""Sources of patients: one file per kind, each with a reader and with the facts that the protocol is checked against."""
