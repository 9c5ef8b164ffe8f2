"""`tuisim doctor`: what this machine has, and what would fix what is missing."""
