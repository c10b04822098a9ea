"""The .sql files of marts, facts, questions and segments, and their one loader."""
