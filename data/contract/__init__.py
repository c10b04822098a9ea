"""What a bank hands over, and how it is stored."""
