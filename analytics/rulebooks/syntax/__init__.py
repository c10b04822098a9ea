"""The text of rulebooks: source lines, rules, the parser of a file."""
