"""What the page Compare on a cough alone has."""
