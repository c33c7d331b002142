"""What the page Papers alone has."""
