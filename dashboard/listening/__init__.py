"""What the page Listen and look alone has."""
