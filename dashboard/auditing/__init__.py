"""What the page Data alone has."""
