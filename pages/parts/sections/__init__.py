"""What one page, or one topic, is made of: a package for each topic of several modules."""
