"""What a reader opens: results tables, figures, words and the report. Everything shown was disclosed first."""
