"""What can be found out with runs; none of it knows a screen."""
