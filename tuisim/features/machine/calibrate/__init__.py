"""`tuisim calibrate`: measure this machine and keep its profile."""
