"""What the page Run a study alone has."""
