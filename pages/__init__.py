"""One folder per section of the menu. Only folders lie here: a file directly in this folder breaks cold deep links."""
