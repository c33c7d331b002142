"""What the page Inspect a variant alone has."""
