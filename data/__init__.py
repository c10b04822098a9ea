"""What is kept and how it comes in. Knows no metric."""
