"""What the README has no room for, and the picture that it shows."""
