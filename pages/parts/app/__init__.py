"""The server, the frame around every page, the header and the warm-up."""
