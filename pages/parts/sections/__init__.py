"""What one page, or one topic, is made of."""
