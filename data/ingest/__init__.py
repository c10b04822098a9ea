"""Files and databases read into staged tables."""
