"""What the page Trade-offs alone has."""
