"""Pictures: find, read, write, convert, finish and draw them."""
